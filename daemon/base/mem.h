/*
 * Allocation that does not fail: out of memory ends the process with a line that says so. Everything
 * that outsiders can make grow has a limit of its own, and an answer of `accepted` is only ever given
 * for what Redis holds, so ending is safe.
 */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *string) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of LEN bytes. */
char *mem_strndup(const char *bytes, size_t len) __attribute__((malloc, returns_nonnull));

/*
 * The C library keeps what is freed, so that the process would stay as large as its largest burst made it. A
 * daemon calls mem_return_large() before its first thread starts: from then on a large piece goes back to the
 * kernel as it is freed. It calls mem_return_free() every few seconds: whole free pages between smaller
 * pieces go back too. That takes about 6 ms where 256 MiB are free and hardly anything else; a thread that
 * allocates meanwhile waits for it at most once.
 */
void mem_return_large(void);
void mem_return_free(void);
