/* Taking as the publisher does: the masks of portions, and then the totals of them all. */
#pragma once

#include "publish/outbox_minutes.h"

enum { TAKEN_TOGETHER_MAX = 4 };

/* Whether each of N PORTIONS was taken. TOTALS may be NULL. */
static inline bool take_with_totals(struct outbox *o, struct outbox_portion *portions, size_t n,
    struct arena *arena, struct outbox_totals *totals)
{
    struct outbox_portion *all[TAKEN_TOGETHER_MAX];
    struct outbox_totals ignored;
    bool good = outbox_take(o, portions, n, arena);
    for (size_t i = 0; i < n; i++)
        all[i] = &portions[i];
    outbox_totals(
        o, all, n, (struct outbox_leave_out){NULL, NULL}, arena, totals == NULL ? &ignored : totals);
    for (size_t i = 0; i < n; i++)
        good = good && portions[i].done;
    return good;
}
