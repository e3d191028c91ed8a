/* Commands as Redis reads them, and the keys in them. */
#include "redis/resp.h"

#include <stdio.h>

static void resp_header(struct buf *b, char kind, size_t n)
{
    buf_append_char(b, kind);
    buf_append_int(b, (int64_t)n);
    buf_append(b, "\r\n", 2);
}

void resp_begin(struct buf *b, size_t n_args)
{
    resp_header(b, '*', n_args);
}

void resp_arg(struct buf *b, struct slice arg)
{
    resp_header(b, '$', arg.len);
    buf_append_slice(b, arg);
    buf_append(b, "\r\n", 2);
}

void resp_int(struct buf *b, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    resp_arg(b, (struct slice){text, (size_t)len});
}

void resp_joined(struct buf *b, struct slice head, struct slice middle, struct slice slash, struct slice tail)
{
    resp_header(b, '$', head.len + middle.len + slash.len + tail.len);
    buf_append_slice(b, head);
    buf_append_slice(b, middle);
    buf_append_slice(b, slash);
    buf_append_slice(b, tail);
    buf_append(b, "\r\n", 2);
}

void resp_fcall(struct buf *b, const char *function, size_t n_keys, size_t n_args)
{
    resp_begin(b, 3 + n_args);
    resp_arg(b, SLICE_LITERAL("FCALL"));
    resp_arg(b, slice_of(function));
    resp_int(b, (int64_t)n_keys);
}

/* ---- keys ---- */

static struct slice prefix_slice(const struct key_prefix *prefix)
{
    return (struct slice){prefix->text, prefix->len};
}

void resp_key(struct buf *b, const struct key_prefix *prefix, const char *name)
{
    struct slice none = {"", 0};
    resp_joined(b, prefix_slice(prefix), slice_of(name), none, none);
}

void resp_key_number(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    resp_joined(
        b, prefix_slice(prefix), slice_of(name), SLICE_LITERAL(":"), (struct slice){text, (size_t)len});
}

void resp_learner(struct buf *b, struct slice portal, struct slice learner)
{
    resp_joined(b, portal, SLICE_LITERAL("/"), learner, SLICE_LITERAL(""));
}

void resp_key_totals(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner)
{
    char head[40];
    memcpy(head, prefix->text, prefix->len);
    head[prefix->len] = 't';
    head[prefix->len + 1] = ':';
    resp_joined(b, (struct slice){head, prefix->len + 2}, portal, SLICE_LITERAL("/"), learner);
}
