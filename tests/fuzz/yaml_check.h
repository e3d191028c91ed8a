/*
 * For what is read from YAML: how its problems must look, and a text written so that it reads as the same.
 */
#pragma once

#include <assert.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "config/yaml_reader.h"

/*
 * ERROR is what was given instead of a result: one problem a line, at most PROBLEMS_MAX and a line that
 * counts the rest, nothing in it but text. Frees it.
 */
static inline void check_problems(char *error)
{
    size_t lines = 0;
    assert(error != NULL && error[0] != '\0' && error[strlen(error) - 1] != '\n');
    for (const char *at = error; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        size_t len = strcspn(at, "\n");
        assert(len > 0 && len < 1024);
        lines++;
    }
    for (const char *c = error; *c != '\0'; c++)
        assert(((unsigned char)*c >= 0x20 && *c != 0x7f) || *c == '\n');
    assert(lines <= PROBLEMS_MAX + 1);
    free(error);
}

static inline bool yaml_can_write(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = 1;
    for (; *p != '\0' && n > 0; p += n)
        n = utf8_length(p, strlen((const char *)p));
    return n > 0;
}

/* Appends TEXT in double quotes, every character by its number, since YAML folds some and forbids others. */
static inline void yaml_write_text(struct buf *b, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    buf_append_char(b, '"');
    while (*p != '\0') {
        size_t n = utf8_length(p, strlen((const char *)p));
        assert(n > 0);
        uint32_t code = n == 1 ? *p : *p & (0x7fU >> n);
        for (size_t i = 1; i < n; i++)
            code = code << 6 | (p[i] & 0x3fU);
        buf_printf(b, "\\U%08x", code);
        p += n;
    }
    buf_append_char(b, '"');
}
