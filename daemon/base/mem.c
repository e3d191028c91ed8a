/* Allocation that does not fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From this size on a piece of memory is a mapping of its own, such as a large request's body; ordinary
 * buffers are not. */
enum { MEM_LARGE = 64 * 1024 };

static void *checked(void *ptr, size_t size)
{
    if (ptr == NULL) {
        fprintf(stderr, "level=error event=out_of_memory bytes=%zu\n", size);
        abort();
    }
    return ptr;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size == 0 ? 1 : size), size);
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size == 0 ? 1 : size), size);
}

void *mem_realloc(void *ptr, size_t size)
{
    return checked(realloc(ptr, size == 0 ? 1 : size), size);
}

char *mem_strdup(const char *string)
{
    return mem_strndup(string, strlen(string));
}

char *mem_strndup(const char *bytes, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void mem_return_large(void)
{
    /* Unless this is set, each large piece that is freed raises it, and with it what is kept at a heap's end.
     */
    mallopt(M_MMAP_THRESHOLD, MEM_LARGE);
}

void mem_return_free(void)
{
    malloc_trim(0);
}
