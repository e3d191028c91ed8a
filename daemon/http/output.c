/* What a socket has not taken yet. */
#include "http/output.h"

void output_fill(struct output *o, struct slice own, struct slice kept)
{
    buf_append_slice(&o->own, own);
    o->kept = kept;
}

struct slice output_next(const struct output *o)
{
    if (o->sent < o->own.len)
        return (struct slice){o->own.data + o->sent, o->own.len - o->sent};
    return o->kept;
}

void output_advance(struct output *o, size_t n)
{
    if (o->sent < o->own.len)
        o->sent += n;
    else
        o->kept = (struct slice){o->kept.ptr + n, o->kept.len - n};
}

void output_free(struct output *o)
{
    buf_free(&o->own);
    *o = (struct output){0};
}
