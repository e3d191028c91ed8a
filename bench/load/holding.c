/* What a place was found to hold. */
#include "load/holding.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/mem.h"
#include "credit/mask.h"

enum { STRAYS_FIRST = 64 };

/* The minute of a stray total. */
static const int64_t no_minute = INT64_MIN;

/* A mask or total of another lesson or another minute than was accepted; `value` is never 0 in use. */
struct stray {
    size_t learner;
    int64_t minute;
    uint64_t lesson; /* its hash */
    uint64_t value;  /* a mask, or seconds */
};

struct holding {
    const struct evidence *evidence;
    uint64_t *masks;      /* as in the evidence */
    int64_t *greatest;    /* by learner */
    int64_t *last;        /* by learner */
    uint64_t missing_s;   /* in masks and in totals */
    struct stray *strays; /* open addressing; their number is a power of two */
    size_t n_strays;
    size_t strays_size;
};

struct holding *holding_new(const struct evidence *evidence)
{
    struct holding *h = mem_zalloc(sizeof(*h));
    h->evidence = evidence;
    h->masks = mem_zalloc(evidence->n_learners * evidence->n_minutes * sizeof(*h->masks));
    h->greatest = mem_zalloc(evidence->n_learners * sizeof(*h->greatest));
    h->last = mem_zalloc(evidence->n_learners * sizeof(*h->last));
    h->strays_size = STRAYS_FIRST;
    h->strays = mem_zalloc(h->strays_size * sizeof(*h->strays));
    for (size_t i = 0; i < evidence->n_learners; i++)
        h->missing_s += 2 * (uint64_t)evidence_seconds(evidence, i);
    return h;
}

void holding_free(struct holding *h)
{
    free(h->masks);
    free(h->greatest);
    free(h->last);
    free(h->strays);
    free(h);
}

/* ---- strays ---- */

/* Where KEY is, or the free place where it belongs. */
static struct stray *find_stray(struct stray *strays, size_t size, const struct stray *key)
{
    uint64_t parts[] = {key->learner, (uint64_t)key->minute, key->lesson};
    size_t i = XXH64(parts, sizeof(parts), 0) & (size - 1);
    while (strays[i].value != 0 && (strays[i].learner != key->learner || strays[i].minute != key->minute ||
                                       strays[i].lesson != key->lesson))
        i = (i + 1) & (size - 1);
    return &strays[i];
}

/* Its value so far, 0 when it is new; the caller makes it more. */
static uint64_t *note_stray(struct holding *h, size_t learner, struct slice lesson, int64_t minute)
{
    struct stray key = {learner, minute, XXH64(lesson.ptr, lesson.len, 0), 0};
    if (2 * h->n_strays >= h->strays_size) {
        size_t size = 2 * h->strays_size;
        struct stray *strays = mem_zalloc(size * sizeof(*strays));
        for (size_t i = 0; i < h->strays_size; i++)
            if (h->strays[i].value != 0)
                *find_stray(strays, size, &h->strays[i]) = h->strays[i];
        free(h->strays);
        h->strays = strays;
        h->strays_size = size;
    }
    struct stray *found = find_stray(h->strays, h->strays_size, &key);
    if (found->value == 0) {
        *found = key;
        h->n_strays++;
    }
    return &found->value;
}

/* ---- taking ---- */

void holding_take_mask(struct holding *h, size_t learner, struct slice lesson, int64_t minute, uint64_t mask)
{
    const struct evidence *e = h->evidence;
    int64_t index = minute - e->first_minute;
    if (mask == 0)
        return;
    if (index < 0 || (uint64_t)index >= e->n_minutes || !slice_is(lesson, evidence_lesson(e, learner))) {
        *note_stray(h, learner, lesson, minute) |= mask;
        return;
    }
    size_t at = learner * e->n_minutes + (size_t)index;
    h->missing_s -= mask_count(e->masks[at] & mask & ~h->masks[at]);
    h->masks[at] |= mask;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void holding_take_total(struct holding *h, size_t learner, struct slice lesson, int64_t seconds)
{
    if (seconds <= 0)
        return;
    if (!slice_is(lesson, evidence_lesson(h->evidence, learner))) {
        uint64_t *greatest = note_stray(h, learner, lesson, no_minute);
        *greatest = *greatest > (uint64_t)seconds ? *greatest : (uint64_t)seconds;
        return;
    }
    h->last[learner] = seconds;
    if (seconds <= h->greatest[learner])
        return;
    int64_t accepted = evidence_seconds(h->evidence, learner);
    h->missing_s -= (uint64_t)(least(seconds, accepted) - least(h->greatest[learner], accepted));
    h->greatest[learner] = seconds;
}

bool holding_complete(const struct holding *h)
{
    return h->missing_s == 0;
}

/* ---- judging ---- */

struct holding_sums holding_sum(const struct holding *h)
{
    struct holding_sums sums = {0};
    const struct evidence *e = h->evidence;
    for (size_t learner = 0; learner < e->n_learners; learner++) {
        const uint64_t *masks = evidence_masks(e, learner);
        const uint64_t *held = h->masks + learner * e->n_minutes;
        for (size_t i = 0; i < e->n_minutes; i++) {
            sums.held_s += mask_count(masks[i] & held[i]);
            sums.lost_s += mask_count(masks[i] & ~held[i]);
            sums.extra_s += mask_count(held[i] & ~masks[i]);
        }
        int64_t accepted = evidence_seconds(e, learner);
        int64_t greatest = h->greatest[learner];
        sums.total_s += (uint64_t)greatest;
        if (greatest < accepted)
            sums.lost_s += (uint64_t)(accepted - greatest);
        else
            sums.extra_s += (uint64_t)(greatest - accepted);
        /* A consumer that upserts keeps the last total, and loses what a greater one before it had more. */
        sums.lost_s += (uint64_t)(greatest - h->last[learner]);
    }
    for (size_t i = 0; i < h->strays_size; i++) {
        const struct stray *s = &h->strays[i];
        if (s->value == 0)
            continue;
        sums.extra_s += s->minute == no_minute ? s->value : mask_count(s->value);
        sums.total_s += s->minute == no_minute ? s->value : 0;
    }
    return sums;
}
