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
