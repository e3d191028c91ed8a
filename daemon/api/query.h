/*
 * A request's query. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

/* The decoded value of NAME in `name=value&…`, in the arena; empty when it is missing. */
struct slice query_value(struct slice query, const char *name, struct arena *arena);
