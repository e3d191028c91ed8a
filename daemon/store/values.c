/* The stored forms. */
#include "store/values.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/id.h"
#include "credit/mask.h"

void values_encode_mask(struct buf *b, struct slice lesson, uint64_t mask)
{
    buf_append_counted(b, lesson);
    buf_append_u32(b, (uint32_t)(mask & VALUE_HALF_MASK));
    buf_append_u32(b, (uint32_t)(mask >> VALUE_HALF_BITS));
}

enum { MASK = 8, MASKS = BUCKET_MINUTES * MASK }; /* bytes; of a lesson's ten */

bool values_decode_masks(struct slice value, int64_t minute, struct arena *arena, struct learner_masks *out)
{
    struct cursor c = cursor_of(value);
    c.ok = cursor_take_u8(&c) == VALUE_FORMAT;
    out->masks = arena_alloc(arena, (1 + value.len / MASKS) * sizeof(*out->masks));
    out->n_masks = 0;
    while (c.ok && c.at < c.end) {
        /* A lesson has ten masks, and the minute's own is taken. */
        struct lesson_mask *mask = &out->masks[out->n_masks];
        mask->lesson = cursor_take_counted(&c);
        struct cursor masks = cursor_of(cursor_take(&c, MASKS));
        cursor_take(&masks, (size_t)(minute % BUCKET_MINUTES) * MASK);
        uint64_t lo = cursor_take_u32(&masks);
        uint64_t hi = cursor_take_u32(&masks);
        mask->mask = lo | hi << VALUE_HALF_BITS;
        c.ok = c.ok && lo <= VALUE_HALF_MASK && hi <= VALUE_HALF_MASK && id_valid(mask->lesson);
        out->n_masks += mask->mask != 0;
    }
    return c.ok;
}

/* Distinct seconds of the video. False when INTERVALS are not sorted and disjoint. */
static bool count_covered(struct slice intervals, int64_t *seconds)
{
    struct cursor c = cursor_of(intervals);
    int64_t end = -1;
    *seconds = 0;
    while (c.ok && c.at < c.end) {
        int64_t from = cursor_take_u32(&c);
        int64_t to = cursor_take_u32(&c);
        c.ok = c.ok && from > end && from <= to;
        end = to;
        *seconds += to / 1000 - from / 1000;
    }
    return c.ok;
}

bool values_decode_total(struct slice value, struct lesson_total *out)
{
    struct cursor c = cursor_of(value);
    bool known = cursor_take_u8(&c) == VALUE_FORMAT;
    out->watched_seconds = cursor_take_u32(&c);
    out->last_minute = cursor_take_u32(&c);
    out->course = cursor_take_counted(&c);
    out->covered = cursor_take(&c, cursor_left(&c));
    return known && c.ok && id_valid(out->course) && count_covered(out->covered, &out->covered_seconds);
}

bool values_decode_sum(struct slice value, struct lesson_sum *out)
{
    struct cursor c = cursor_of(value);
    bool known = cursor_take_u8(&c) == VALUE_FORMAT;
    out->watched_seconds = cursor_take_u32(&c);
    out->learners = cursor_take_u32(&c);
    out->published_seconds = cursor_take_u32(&c);
    out->course = cursor_take(&c, cursor_left(&c));
    return known && c.ok && id_valid(out->course);
}

bool values_decode_minutes(struct slice value, int64_t bucket, struct arena *arena, struct minutes *out)
{
    struct learner_masks learners[BUCKET_MINUTES] = {0};
    size_t n = 0;
    *out = (struct minutes){0};
    for (int i = 0; i < BUCKET_MINUTES; i++) {
        if (!values_decode_masks(value, bucket * BUCKET_MINUTES + i, arena, &learners[i]))
            return false;
        n += learners[i].n_masks;
    }
    out->items = arena_alloc(arena, n * sizeof(*out->items));
    for (int i = 0; i < BUCKET_MINUTES; i++)
        for (size_t k = 0; k < learners[i].n_masks; k++)
            out->items[out->n++] = (struct store_minute){
                bucket * BUCKET_MINUTES + i, learners[i].masks[k].lesson, learners[i].masks[k].mask};
    assert(out->n == n);
    return true;
}
