/* Allocation that does not fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A piece of memory of at least this size, such as the body of a large request, is a mapping of its own;
 * ordinary buffers are smaller. */
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
    /* Unless the threshold is set, malloc raises it with each large piece that is freed, and then keeps as
     * much free memory at a heap's end.
     */
    mallopt(M_MMAP_THRESHOLD, MEM_LARGE);
}

void mem_return_free(void)
{
    malloc_trim(0);
}
