/*
 * What ten minutes of a learner hold, minute by minute. Pure.
 */
#pragma once

#include "base/arena.h"
#include "store/store.h"

struct minutes {
    struct store_minute *items; /* oldest minute first; in the arena, lessons point into the value */
    size_t n;
};

/* Reads a value of w:<BUCKET>. False when it is malformed. */
bool minutes_decode(struct slice value, int64_t bucket, struct arena *arena, struct minutes *out)
    __attribute__((warn_unused_result));
