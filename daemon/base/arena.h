/*
 * Memory that is given back all at once: what one request needs until it is answered. A zeroed struct
 * is an empty arena. It keeps its first block when reset, so a steady request allocates nothing.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* the block in use; older ones are linked behind it */
    size_t total;             /* bytes handed out since the last reset */
    size_t limit;             /* at most that many; 0: no limit */
};

/* SIZE bytes, zeroed, aligned for any type; NULL only when the arena's limit is passed. */
void *arena_alloc(struct arena *a, size_t size);
/* A NUL-terminated copy; NULL as arena_alloc. */
char *arena_strndup(struct arena *a, const char *bytes, size_t len);
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
