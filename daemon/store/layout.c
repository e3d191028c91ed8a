/* Keys, arguments and answers of the Redis functions. */
#include "store/layout.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "credit/mask.h"

enum { FORMAT = 1, HALF_BITS = 30, RUN_MINUTES_MAX = 16 };

#define HALF_MASK (((uint64_t)1 << HALF_BITS) - 1)

/* ---- keys and RESP ---- */

void key_prefix_init(struct key_prefix *prefix, int partition, int partitions)
{
    char tag[PARTITION_TAG_MAX + 1];
    partition_tag(partition, partitions, tag);
    prefix->len = (size_t)snprintf(prefix->text, sizeof(prefix->text), "minuted:{%s}:", tag);
}

static void resp_header(struct buf *b, char kind, size_t n)
{
    buf_append_char(b, kind);
    buf_append_int(b, (int64_t)n);
    buf_append(b, "\r\n", 2);
}

void resp_begin(struct buf *b, size_t n_args)
{
    resp_header(b, '*', n_args);
}

void resp_arg(struct buf *b, struct slice arg)
{
    resp_header(b, '$', arg.len);
    buf_append_slice(b, arg);
    buf_append(b, "\r\n", 2);
}

void resp_int(struct buf *b, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    resp_arg(b, (struct slice){text, (size_t)len});
}

static void resp_joined(
    struct buf *b, struct slice head, struct slice middle, struct slice slash, struct slice tail)
{
    resp_header(b, '$', head.len + middle.len + slash.len + tail.len);
    buf_append_slice(b, head);
    buf_append_slice(b, middle);
    buf_append_slice(b, slash);
    buf_append_slice(b, tail);
    buf_append(b, "\r\n", 2);
}

static struct slice prefix_slice(const struct key_prefix *prefix)
{
    return (struct slice){prefix->text, prefix->len};
}

void resp_key(struct buf *b, const struct key_prefix *prefix, const char *name)
{
    struct slice none = {"", 0};
    resp_joined(b, prefix_slice(prefix), slice_of(name), none, none);
}

void resp_key_int(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    resp_joined(
        b, prefix_slice(prefix), slice_of(name), SLICE_LITERAL(":"), (struct slice){text, (size_t)len});
}

void resp_key_learner(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner)
{
    char head[40];
    memcpy(head, prefix->text, prefix->len);
    head[prefix->len] = 't';
    head[prefix->len + 1] = ':';
    resp_joined(b, (struct slice){head, prefix->len + 2}, portal, SLICE_LITERAL("/"), learner);
}

void resp_fcall(struct buf *b, const char *command, const char *function, size_t n_keys, size_t n_args)
{
    resp_begin(b, 3 + n_args);
    resp_arg(b, slice_of(command));
    resp_arg(b, slice_of(function));
    resp_int(b, (int64_t)n_keys);
}

/* ---- apply ---- */

void apply_scratch_free(struct apply_scratch *scratch)
{
    buf_free(&scratch->payload);
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

static bool same_learner(const struct store_run *a, const struct store_run *b)
{
    return a->hash == b->hash && slice_equal(a->portal, b->portal) && slice_equal(a->learner, b->learner);
}

static size_t learner_index(struct apply_scratch *scratch, size_t *n, const struct store_run *run)
{
    for (size_t i = 0; i < *n; i++)
        if (same_learner(scratch->learners[i], run))
            return i;
    scratch->learners[*n] = run;
    return (*n)++;
}

static void append_string(struct buf *b, struct slice s)
{
    assert(s.len <= UINT8_MAX);
    buf_append_u8(b, (uint8_t)s.len);
    buf_append_slice(b, s);
}

static void encode_run(struct apply_scratch *scratch, const struct store_run *run, size_t learner)
{
    const struct claim *claim = &run->claim;
    struct minute_mask pieces[RUN_MINUTES_MAX];
    size_t n = mask_split(claim->first_second, claim->end_second, pieces, RUN_MINUTES_MAX);
    assert(n > 0);
    struct buf *b = &scratch->payload;
    buf_append_u16(b, (uint16_t)learner);
    append_string(b, run->lesson);
    append_string(b, run->course);
    buf_append_u32(b, (uint32_t)claim->media_from_ms);
    buf_append_u32(b, (uint32_t)claim->media_to_ms);
    /* where the run starts, seen from its first minute: up to a second before it */
    buf_append_u32(b, (uint32_t)(int32_t)(claim->start_ms - pieces[0].minute * MINUTE_SECONDS * 1000));
    buf_append_u32(b, (uint32_t)claim->length_ms);
    buf_append_u8(b, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        index_of(&scratch->buckets, pieces[i].minute / BUCKET_MINUTES);
        buf_append_u16(b, (uint16_t)index_of(&scratch->minutes, pieces[i].minute));
        buf_append_u32(b, (uint32_t)(pieces[i].mask & HALF_MASK));
        buf_append_u32(b, (uint32_t)(pieces[i].mask >> HALF_BITS));
        buf_append_u8(b, (uint8_t)mask_count(pieces[i].mask));
    }
}

static void encode_keys(
    struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix, size_t n_learners)
{
    resp_key(b, prefix, "floor");
    resp_key(b, prefix, "due");
    resp_key(b, prefix, "ld");
    for (size_t i = 0; i < scratch->buckets.len / sizeof(int64_t); i++)
        resp_key_int(b, prefix, "w", number_at(&scratch->buckets, i));
    for (size_t i = 0; i < scratch->minutes.len / sizeof(int64_t); i++) {
        resp_key_int(b, prefix, "d", number_at(&scratch->minutes, i));
        resp_key_int(b, prefix, "l", number_at(&scratch->minutes, i));
    }
    for (size_t i = 0; i < n_learners; i++)
        resp_key_learner(b, prefix, scratch->learners[i]->portal, scratch->learners[i]->learner);
}

void apply_encode(struct buf *b, struct apply_scratch *scratch, const struct key_prefix *prefix,
    const struct store_run_queue *runs, int64_t horizon_minute, int64_t grace_s)
{
    buf_clear(&scratch->payload);
    buf_clear(&scratch->minutes);
    buf_clear(&scratch->buckets);
    size_t n_runs = 0;
    size_t n_learners = 0;
    const struct store_run *run;
    STAILQ_FOREACH(run, runs, link)
    {
        assert(n_runs < STORE_APPLY_MAX);
        encode_run(scratch, run, learner_index(scratch, &n_learners, run));
        n_runs++;
    }
    size_t n_buckets = scratch->buckets.len / sizeof(int64_t);
    size_t n_minutes = scratch->minutes.len / sizeof(int64_t);
    size_t n_keys = 3 + n_buckets + 2 * n_minutes + n_learners;
    resp_fcall(b, "FCALL", STORE_FUNCTION("apply"), n_keys, n_keys + 1);
    encode_keys(b, scratch, prefix, n_learners);

    enum { HEADER = 4 + 4 + 5 * 2, MINUTE = 4 + 2 };
    resp_header(b, '$', HEADER + n_minutes * MINUTE + scratch->payload.len);
    buf_append_u32(b, (uint32_t)horizon_minute);
    buf_append_u32(b, (uint32_t)grace_s);
    buf_append_u16(b, (uint16_t)(prefix->len + 2)); /* a t key's prefix */
    buf_append_u16(b, (uint16_t)n_buckets);
    buf_append_u16(b, (uint16_t)n_minutes);
    buf_append_u16(b, (uint16_t)n_learners);
    buf_append_u16(b, (uint16_t)n_runs);
    for (size_t i = 0; i < n_minutes; i++) {
        int64_t minute = number_at(&scratch->minutes, i);
        buf_append_u32(b, (uint32_t)minute);
        buf_append_u16(b, (uint16_t)index_of(&scratch->buckets, minute / BUCKET_MINUTES));
    }
    buf_append_slice(b, buf_slice(&scratch->payload));
    buf_append(b, "\r\n", 2);
}

/* ---- answers ---- */

/* A cursor over a packed value; `ok` turns false at the first byte that is missing. */
struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool ok;
};

static struct cursor cursor_of(struct slice s)
{
    const unsigned char *start = (const unsigned char *)s.ptr;
    return (struct cursor){start, start + s.len, true};
}

static uint32_t take_number(struct cursor *c, size_t bytes)
{
    if ((size_t)(c->end - c->at) < bytes) {
        c->ok = false;
        return 0;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)c->at[i] << (8 * i);
    c->at += bytes;
    return value;
}

static struct slice take_string(struct cursor *c)
{
    size_t len = take_number(c, 1);
    if (!c->ok || (size_t)(c->end - c->at) < len) {
        c->ok = false;
        return (struct slice){"", 0};
    }
    struct slice s = {(const char *)c->at, len};
    c->at += len;
    return s;
}

static void decode_run(struct cursor *c, struct store_run *run)
{
    uint32_t claimed = (uint32_t)(run->claim.end_second - run->claim.first_second);
    bool whole = take_number(c, 1) == 1;
    run->credited_seconds = whole ? claimed : take_number(c, 2);
    run->contested_seconds = whole ? 0 : take_number(c, 2);
    run->late_seconds = whole ? 0 : take_number(c, 2);
    uint32_t other = run->credited_seconds + run->contested_seconds + run->late_seconds;
    c->ok = c->ok && other <= claimed;
    run->duplicate_seconds = claimed - other;
    run->status = run->late_seconds == claimed ? STORE_TOO_LATE : STORE_WRITTEN;
}

bool apply_decode(struct slice answer, const struct store_run_queue *runs)
{
    struct cursor c = cursor_of(answer);
    struct store_run *run;
    STAILQ_FOREACH(run, runs, link) decode_run(&c, run);
    return c.ok && c.at == c.end;
}

void mask_encode(struct buf *b, struct slice lesson, uint64_t mask)
{
    append_string(b, lesson);
    buf_append_u32(b, (uint32_t)(mask & HALF_MASK));
    buf_append_u32(b, (uint32_t)(mask >> HALF_BITS));
}

static void decode_mask(struct cursor *c, struct outbox_mask *mask)
{
    mask->lesson = take_string(c);
    uint64_t lo = take_number(c, 4);
    uint64_t hi = take_number(c, 4);
    mask->mask = lo | hi << HALF_BITS;
    c->ok = c->ok && lo <= HALF_MASK && hi <= HALF_MASK;
    mask->watched_seconds = take_number(c, 4);
    mask->covered_seconds = take_number(c, 4);
    mask->last_minute = take_number(c, 4);
    mask->course = take_string(c);
}

bool take_decode(struct slice records, struct arena *arena, struct outbox_learner *out)
{
    struct cursor c = cursor_of(records);
    struct outbox_mask mask;
    size_t n = 0;
    while (c.ok && c.at < c.end) {
        decode_mask(&c, &mask);
        n++;
    }
    out->n_masks = n;
    out->masks = arena_alloc(arena, n * sizeof(*out->masks));
    c = cursor_of(records);
    for (size_t i = 0; i < n; i++)
        decode_mask(&c, &out->masks[i]);
    return c.ok;
}

static int64_t covered_seconds(struct cursor *c)
{
    int64_t sum = 0;
    while (c->ok && c->at < c->end) {
        int64_t from = take_number(c, 4);
        int64_t to = take_number(c, 4);
        c->ok = c->ok && from <= to;
        sum += to / 1000 - from / 1000;
    }
    return sum;
}

bool total_decode(struct slice value, struct store_lesson *out)
{
    struct cursor c = cursor_of(value);
    bool known = take_number(&c, 1) == FORMAT;
    out->watched_seconds = take_number(&c, 4);
    out->last_minute = take_number(&c, 4);
    out->course = take_string(&c);
    out->covered_seconds = covered_seconds(&c);
    return known && c.ok;
}

bool sum_decode(struct slice value, struct outbox_sum *out)
{
    struct cursor c = cursor_of(value);
    bool known = take_number(&c, 1) == FORMAT;
    out->watched_seconds = take_number(&c, 4);
    out->learners = take_number(&c, 4);
    out->course = (struct slice){(const char *)c.at, (size_t)(c.end - c.at)};
    return known && c.ok;
}
