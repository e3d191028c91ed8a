/* Memory that is given back all at once. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A block is as large as all that is in use, within these limits, so that few blocks hold any amount. */
enum { ARENA_BLOCK = 4096, ARENA_BLOCK_MAX = 256 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t used;
    size_t size;
    alignas(max_align_t) char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t rounded = (size + align - 1) / align * align;
    if (rounded < size || (a->limit > 0 && rounded > a->limit - a->total))
        return NULL;
    if (a->head == NULL || a->head->size - a->head->used < rounded) {
        size_t usual = a->total < ARENA_BLOCK ? ARENA_BLOCK : a->total;
        usual = usual < ARENA_BLOCK_MAX ? usual : ARENA_BLOCK_MAX;
        size_t room = rounded > usual ? rounded : usual;
        struct arena_block *block = mem_alloc(sizeof(*block) + room);
        *block = (struct arena_block){.older = a->head, .size = room};
        a->head = block;
    }
    assert(a->head->size - a->head->used >= rounded);
    void *ptr = a->head->bytes + a->head->used;
    a->head->used += rounded;
    a->total += rounded;
    return memset(ptr, 0, rounded);
}

char *arena_strndup(struct arena *a, const char *bytes, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

void arena_reset(struct arena *a)
{
    while (a->head != NULL && a->head->older != NULL) {
        struct arena_block *older = a->head->older;
        free(a->head);
        a->head = older;
    }
    if (a->head != NULL) {
        a->head->used = 0;
        if (a->head->size > ARENA_BLOCK) { /* one large request does not pin its memory */
            free(a->head);
            a->head = NULL;
        }
    }
    a->total = 0;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    free(a->head);
    a->head = NULL;
}
