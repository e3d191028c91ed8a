/*
 * What a socket has not taken yet of an answer: bytes of its own, then a body that stays where it is. A
 * zeroed struct is empty.
 */
#pragma once

#include "base/buf.h"

struct output {
    struct buf own;
    size_t sent;       /* of own */
    struct slice kept; /* borrowed */
};

/* Copies OWN, borrows KEPT. */
void output_fill(struct output *o, struct slice own, struct slice kept);

/* What to send next; empty when everything is sent. */
struct slice output_next(const struct output *o);

/* The socket has taken N bytes of output_next(). */
void output_advance(struct output *o, size_t n);

void output_free(struct output *o);
