/*
 * The minutes of all partitions in one list, newest first: the order in which publishing catches up.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "publish/outbox.h"

/* A minute of a partition. */
struct partition_minute {
    int64_t minute; /* Unix seconds / 60 */
    int partition;
};

struct minute_list {
    struct partition_minute *items;
    size_t n;
};

/* Whether A comes before B in a list. */
bool partition_minute_precedes(const struct partition_minute *a, const struct partition_minute *b);

/* Joins what was found in each of PARTITIONS partitions, in the arena. */
struct minute_list minute_list_join(struct arena *arena, const struct outbox_minutes *found, int partitions);

/* Whether item I is the first of its minute. */
bool minute_list_is_first(const struct minute_list *list, size_t i);

/* The first item that is PLACE or comes behind it; the list's length where none is. */
size_t minute_list_find(const struct minute_list *list, const struct partition_minute *place);
