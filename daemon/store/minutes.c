/* What ten minutes of a learner hold. */
#include "store/minutes.h"

#include "credit/mask.h"
#include "store/layout.h"

static void add_minute(struct minutes *out, int64_t minute, const struct outbox_learner *learner)
{
    for (size_t i = 0; i < learner->n_masks; i++)
        out->items[out->n++] =
            (struct store_minute){minute, learner->masks[i].lesson, learner->masks[i].mask};
}

bool minutes_decode(struct slice value, int64_t bucket, struct arena *arena, struct minutes *out)
{
    struct outbox_learner learners[BUCKET_MINUTES] = {0};
    size_t n = 0;
    *out = (struct minutes){0};
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        if (!masks_decode(value, bucket * BUCKET_MINUTES + i, arena, &learners[i]))
            return false;
        n += learners[i].n_masks;
    }
    out->items = arena_alloc(arena, n * sizeof(*out->items));
    for (int i = 0; i < BUCKET_MINUTES; i++)
        add_minute(out, bucket * BUCKET_MINUTES + i, &learners[i]);
    return true;
}
