/* The minutes of all partitions in one list. */
#include "publish/minute_list.h"

#include <stdlib.h>

static int newest_first(const void *a, const void *b)
{
    const struct partition_minute *x = a;
    const struct partition_minute *y = b;
    if (x->minute != y->minute)
        return x->minute < y->minute ? 1 : -1;
    return x->partition - y->partition;
}

bool partition_minute_precedes(const struct partition_minute *a, const struct partition_minute *b)
{
    return newest_first(a, b) < 0;
}

static size_t count(const struct outbox_minutes *found, int partitions)
{
    size_t n = 0;
    for (int p = 0; p < partitions; p++)
        n += found[p].n;
    return n;
}

struct minute_list minute_list_join(struct arena *arena, const struct outbox_minutes *found, int partitions)
{
    size_t n = count(found, partitions);
    struct minute_list list = {arena_alloc(arena, n * sizeof(*list.items)), 0};
    for (int p = 0; p < partitions; p++)
        for (size_t i = 0; i < found[p].n; i++)
            list.items[list.n++] = (struct partition_minute){found[p].minutes[i], p};
    qsort(list.items, list.n, sizeof(*list.items), newest_first);
    return list;
}

bool minute_list_is_first(const struct minute_list *list, size_t i)
{
    return i == 0 || list->items[i].minute != list->items[i - 1].minute;
}

size_t minute_list_find(const struct minute_list *list, const struct partition_minute *place)
{
    size_t i = 0;
    while (i < list->n && partition_minute_precedes(&list->items[i], place))
        i++;
    return i;
}
