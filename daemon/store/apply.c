/* The call of `apply` and its answer. */
#include "store/apply.h"

#include <assert.h>

#include "base/cursor.h"
#include "credit/mask.h"
#include "redis/resp.h"
#include "store/functions.h"
#include "store/values.h"

enum { RUN_MINUTES_MAX = 16 };

/* Flags of a call. */
enum { APPLY_SETTLED = 1, APPLY_WAITS = 2 };

/* How the answer to a run begins. */
enum answer { ANSWER_COUNTS, ANSWER_WHOLE, ANSWER_UNREADABLE };

_Static_assert(STORE_APPLY_MAX % 64 == 0, "a bucket has a bit for each learner");
_Static_assert(STORE_APPLY_MAX < UINT16_MAX, "learners, lessons and pairs are numbered by 16 bits");
_Static_assert(VALUE_FORMAT == 1, "functions.lua has the same");

int64_t apply_limit_minute(bool dev, int64_t horizon_minute, int64_t early_minute)
{
    if (dev)
        return INT32_MAX;
    return (early_minute > horizon_minute ? early_minute : horizon_minute) + BUCKET_MINUTES;
}

void apply_scratch_free(struct apply_scratch *scratch)
{
    buf_free(&scratch->lists);
    buf_free(&scratch->runs);
    buf_free(&scratch->minutes);
    buf_free(&scratch->buckets);
}

/* Index of VALUE in the list of int64 in B, appended when new. Newest first: neighbours share minutes. */
static size_t index_of(struct buf *b, int64_t value)
{
    size_t n = b->len / sizeof(value);
    for (size_t i = n; i > 0; i--) {
        int64_t known;
        memcpy(&known, b->data + (i - 1) * sizeof(known), sizeof(known));
        if (known == value)
            return i - 1;
    }
    buf_append(b, &value, sizeof(value));
    return n;
}

static int64_t number_at(const struct buf *b, size_t i)
{
    int64_t value;
    memcpy(&value, b->data + i * sizeof(value), sizeof(value));
    return value;
}

/* A bucket that the batch touches, and whose masks in it. */
struct bucket {
    int64_t number;
    uint64_t learners[STORE_APPLY_MAX / 64]; /* a bit each */
};

static struct bucket *bucket_at(const struct apply_scratch *scratch, size_t i)
{
    return (struct bucket *)(void *)scratch->buckets.data + i;
}

static size_t count_buckets(const struct apply_scratch *scratch)
{
    return scratch->buckets.len / sizeof(struct bucket);
}

static size_t bucket_index(const struct apply_scratch *scratch, int64_t number)
{
    size_t i = count_buckets(scratch);
    while (i > 0 && bucket_at(scratch, i - 1)->number != number)
        i--;
    return i - 1; /* SIZE_MAX: not there */
}

static void note_bucket(struct apply_scratch *scratch, int64_t number, size_t learner)
{
    size_t i = bucket_index(scratch, number);
    if (i == SIZE_MAX) {
        struct bucket bucket = {.number = number};
        i = count_buckets(scratch);
        buf_append(&scratch->buckets, &bucket, sizeof(bucket));
    }
    bucket_at(scratch, i)->learners[learner / 64] |= (uint64_t)1 << learner % 64;
}

static size_t count_minutes(const struct apply_scratch *scratch)
{
    return scratch->minutes.len / sizeof(int64_t);
}

/*
 * Index of the run's learner and lesson together. Learners, lessons and pairs are numbered as they first
 * come. A lesson's course is the one that its first run names: the catalog has one for each.
 */
static size_t pair_index(struct apply_scratch *scratch, const struct store_run *run)
{
    size_t learner = 0, lesson = 0;
    for (; learner < scratch->n_learners; learner++) {
        const struct store_run *known = scratch->learners[learner];
        if (known->hash == run->hash && slice_equal(known->portal, run->portal) &&
            slice_equal(known->learner, run->learner))
            break;
    }
    if (learner == scratch->n_learners)
        scratch->learners[scratch->n_learners++] = run;
    while (lesson < scratch->n_lessons && !slice_equal(scratch->lessons[lesson]->lesson, run->lesson))
        lesson++;
    if (lesson == scratch->n_lessons)
        scratch->lessons[scratch->n_lessons++] = run;
    for (size_t i = scratch->n_pairs; i > 0; i--)
        if (scratch->pairs[i - 1].learner == learner && scratch->pairs[i - 1].lesson == lesson)
            return i - 1;
    scratch->pairs[scratch->n_pairs] = (struct apply_pair){(uint16_t)learner, (uint16_t)lesson};
    return scratch->n_pairs++;
}

/* Lua counts from 1. */
static void append_index(struct buf *b, size_t index)
{
    buf_append_u16(b, (uint16_t)(index + 1));
}

/*
 * A media position as Redis holds it. What was played beyond 2^32 ms (49 days, in a live stream) is credited
 * like all else and covers nothing: both ends are the same there.
 */
static uint32_t media_position(int64_t ms)
{
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void encode_run(struct apply_scratch *scratch, const struct store_run *run)
{
    const struct claim *claim = &run->claim;
    struct minute_mask pieces[RUN_MINUTES_MAX];
    size_t n = mask_split(claim->first_second, claim->end_second, pieces, RUN_MINUTES_MAX);
    size_t pair = pair_index(scratch, run);
    assert(n > 0);
    struct buf *b = &scratch->runs;
    append_index(b, scratch->pairs[pair].learner);
    append_index(b, scratch->pairs[pair].lesson);
    append_index(b, pair);
    buf_append_u32(b, media_position(claim->media_from_ms));
    buf_append_u32(b, media_position(claim->media_to_ms));
    /* where the run starts, seen from its first minute: up to a second before it */
    buf_append_u32(b, (uint32_t)(int32_t)(claim->start_ms - pieces[0].minute * MINUTE_SECONDS * 1000));
    buf_append_u32(b, (uint32_t)claim->length_ms);
    buf_append_u8(b, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        note_bucket(scratch, pieces[i].minute / BUCKET_MINUTES, scratch->pairs[pair].learner);
        append_index(b, index_of(&scratch->minutes, pieces[i].minute));
        buf_append_u32(b, (uint32_t)(pieces[i].mask & VALUE_HALF_MASK));
        buf_append_u32(b, (uint32_t)(pieces[i].mask >> VALUE_HALF_BITS));
        buf_append_u8(b, (uint8_t)mask_count(pieces[i].mask));
    }
}

static void encode_keys(struct buf *b, const struct apply_scratch *scratch, const struct key_prefix *prefix)
{
    resp_key(b, prefix, "floor");
    resp_key(b, prefix, "due");
    resp_key(b, prefix, "ld");
    resp_key(b, prefix, "epoch");
    for (size_t i = 0; i < count_buckets(scratch); i++)
        resp_key_number(b, prefix, "w", bucket_at(scratch, i)->number);
    for (size_t i = 0; i < count_minutes(scratch); i++) {
        resp_key_number(b, prefix, "d", number_at(&scratch->minutes, i));
        resp_key_number(b, prefix, "l", number_at(&scratch->minutes, i));
    }
    for (size_t i = 0; i < scratch->n_learners; i++)
        resp_key_totals(b, prefix, scratch->learners[i]->portal, scratch->learners[i]->learner);
}

static void encode_lists(struct buf *b, const struct apply_scratch *scratch)
{
    size_t n_learners = scratch->n_learners;
    for (size_t i = 0; i < count_buckets(scratch); i++) {
        /* The number of learners with masks in the bucket stands first. Their list follows, unless it is all.
         */
        const struct bucket *bucket = bucket_at(scratch, i);
        size_t n = 0;
        for (size_t k = 0; k < n_learners; k++)
            n += bucket->learners[k / 64] >> k % 64 & 1;
        buf_append_u16(b, (uint16_t)n);
        for (size_t k = 0; k < n_learners && n < n_learners; k++)
            if ((bucket->learners[k / 64] >> k % 64 & 1) != 0)
                append_index(b, k);
    }
    for (size_t i = 0; i < count_minutes(scratch); i++) {
        int64_t minute = number_at(&scratch->minutes, i);
        buf_append_u32(b, (uint32_t)minute);
        buf_append_u16(b, (uint16_t)(minute % BUCKET_MINUTES));
        append_index(b, bucket_index(scratch, minute / BUCKET_MINUTES));
    }
}

/* Minutes as texts, for Redis's commands: Lua would pay for the conversion of each packed number. */
static void encode_texts(struct buf *b, const struct apply_scratch *scratch, int64_t grace_s)
{
    for (size_t i = 0; i < count_minutes(scratch); i++) {
        int64_t minute = number_at(&scratch->minutes, i);
        resp_int(b, minute);
        resp_int(b, (minute + 1) * MINUTE_SECONDS + grace_s);
    }
    for (size_t i = 0; i < scratch->n_lessons; i++) {
        struct slice lesson = scratch->lessons[i]->lesson;
        char head[2] = {VALUE_FORMAT, (char)lesson.len};
        resp_joined(
            b, (struct slice){head, sizeof(head)}, lesson, (struct slice){"", 0}, (struct slice){"", 0});
        resp_arg(b, scratch->lessons[i]->course);
    }
}

void apply_encode(struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix,
    const struct store_run_queue *runs, const struct apply_terms *terms)
{
    const struct store_run *run;
    size_t n_runs = 0;
    buf_clear(&scratch->runs);
    buf_clear(&scratch->minutes);
    buf_clear(&scratch->buckets);
    scratch->n_learners = scratch->n_lessons = scratch->n_pairs = 0;
    STAILQ_FOREACH(run, runs, link)
    {
        assert(n_runs < STORE_APPLY_MAX);
        encode_run(scratch, run);
        n_runs++;
    }
    size_t n_keys = 4 + count_buckets(scratch) + 2 * count_minutes(scratch) + scratch->n_learners;
    struct buf *lists = &scratch->lists;
    buf_clear(lists);
    buf_append_u32(lists, (uint32_t)terms->horizon_minute);
    buf_append_u32(lists, (uint32_t)terms->limit_minute);
    buf_append_u8(lists, (terms->settled ? APPLY_SETTLED : 0) | (terms->waits ? APPLY_WAITS : 0));
    buf_append_u16(lists, (uint16_t)(prefix->len + 2)); /* a t key's prefix */
    buf_append_u16(lists, (uint16_t)count_buckets(scratch));
    buf_append_u16(lists, (uint16_t)count_minutes(scratch));
    buf_append_u16(lists, (uint16_t)scratch->n_learners);
    buf_append_u16(lists, (uint16_t)scratch->n_lessons);
    buf_append_u16(lists, (uint16_t)scratch->n_pairs);
    buf_append_u16(lists, (uint16_t)n_runs);
    encode_lists(lists, scratch);
    size_t n_texts = 2 * count_minutes(scratch) + 2 * scratch->n_lessons;
    resp_fcall(b, STORE_FUNCTION("apply"), n_keys, n_keys + 1 + n_texts);
    encode_keys(b, scratch, prefix);
    resp_joined(b, buf_slice(lists), buf_slice(&scratch->runs), (struct slice){"", 0}, (struct slice){"", 0});
    encode_texts(b, scratch, terms->grace_s);
}

/* ---- the answer ---- */

/* The answer ANSWER_COUNTS is followed by credited, contested and late seconds; the others stand alone. */
static void decode_run(struct cursor *c, struct store_run *run)
{
    uint32_t claimed = (uint32_t)(run->claim.end_second - run->claim.first_second);
    enum answer answer = cursor_take_u8(c);
    bool counts = answer == ANSWER_COUNTS;
    c->ok = c->ok && answer <= ANSWER_UNREADABLE;
    run->credited_seconds = counts ? cursor_take_u16(c) : answer == ANSWER_WHOLE ? claimed : 0;
    run->contested_seconds = counts ? cursor_take_u16(c) : 0;
    run->late_seconds = counts ? cursor_take_u16(c) : 0;
    uint32_t other = run->credited_seconds + run->contested_seconds + run->late_seconds;
    c->ok = c->ok && other <= claimed;
    run->duplicate_seconds = claimed - other;
    run->status = STORE_WRITTEN;
    if (answer == ANSWER_UNREADABLE)
        run->status = STORE_UNAVAILABLE;
    else if (run->late_seconds == claimed)
        run->status = STORE_TOO_LATE;
}

bool apply_decode(struct slice answer, const struct store_run_queue *runs)
{
    struct cursor c = cursor_of(answer);
    struct store_run *run;
    STAILQ_FOREACH(run, runs, link) decode_run(&c, run);
    return cursor_is_done(&c);
}
