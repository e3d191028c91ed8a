/* An outbox in memory. */
#include "fake_outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "publish/outbox.h"
#include "store/values.h"

struct outbox {
    struct monitor *redis;
    int64_t waited_us;
};

/* ---- for the test ---- */

void fake_init(struct monitor *redis, int64_t grace_s)
{
    *redis = (struct monitor){.grace_s = grace_s, .take_max = OUTBOX_TAKE_MAX};
    pthread_mutex_init(&redis->lock, NULL);
}

static struct fake_row *find_row(
    struct monitor *redis, int partition, int64_t minute, const char *learner, const char *lesson)
{
    for (size_t i = 0; i < redis->n_rows; i++) {
        struct fake_row *row = &redis->rows[i];
        if (row->minute == minute && strcmp(row->learner, learner) == 0 && strcmp(row->lesson, lesson) == 0)
            return row;
    }
    if (redis->n_rows == FAKE_ROWS_MAX)
        abort();
    struct fake_row *row = &redis->rows[redis->n_rows++];
    *row = (struct fake_row){.minute = minute, .partition = partition, .learner = learner, .lesson = lesson};
    return row;
}

void fake_watch(struct monitor *redis, int partition, int64_t minute, const char *learner, const char *lesson,
    uint64_t mask)
{
    pthread_mutex_lock(&redis->lock);
    struct fake_row *row = find_row(redis, partition, minute, learner, lesson);
    row->mask |= mask;
    row->dirty = true;
    row->grown = true;
    pthread_mutex_unlock(&redis->lock);
}

static bool is_due(const struct monitor *redis, int64_t minute, int64_t now_s)
{
    return now_s == INT64_MAX || (minute + 1) * 60 + redis->grace_s <= now_s;
}

bool fake_is_settled(struct monitor *redis, int64_t now_s)
{
    bool settled = true;
    pthread_mutex_lock(&redis->lock);
    for (size_t i = 0; i < redis->n_rows; i++)
        if ((redis->rows[i].dirty || redis->rows[i].grown) && is_due(redis, redis->rows[i].minute, now_s))
            settled = false;
    pthread_mutex_unlock(&redis->lock);
    return settled;
}

void fake_set_owner(struct monitor *redis, const char *owner)
{
    pthread_mutex_lock(&redis->lock);
    snprintf(redis->owner, sizeof(redis->owner), "%s", owner);
    pthread_mutex_unlock(&redis->lock);
}

bool fake_is_owner(struct monitor *redis, const char *owner)
{
    pthread_mutex_lock(&redis->lock);
    bool is = strcmp(redis->owner, owner) == 0;
    pthread_mutex_unlock(&redis->lock);
    return is;
}

void fake_set_away(struct monitor *redis, int partition, bool away)
{
    pthread_mutex_lock(&redis->lock);
    redis->away[partition] = away;
    pthread_mutex_unlock(&redis->lock);
}

size_t fake_settles(struct monitor *redis)
{
    pthread_mutex_lock(&redis->lock);
    size_t n = redis->settles;
    pthread_mutex_unlock(&redis->lock);
    return n;
}

/* ---- store/outbox.h ---- */

struct outbox *outbox_new(const struct config *config, struct monitor *monitor, struct log *log)
{
    struct outbox *o = mem_zalloc(sizeof(*o));
    (void)config;
    (void)log;
    o->redis = monitor;
    return o;
}

void outbox_free(struct outbox *o)
{
    free(o);
}

int64_t outbox_waited_us(const struct outbox *o)
{
    return o->waited_us;
}

int outbox_partitions(const struct outbox *o)
{
    (void)o;
    return FAKE_PARTITIONS;
}

bool outbox_lease(struct outbox *o, const char *holder, int64_t ttl_ms, bool *held, char owner[static 128])
{
    (void)ttl_ms;
    pthread_mutex_lock(&o->redis->lock);
    if (o->redis->owner[0] == '\0')
        snprintf(o->redis->owner, sizeof(o->redis->owner), "%s", holder);
    *held = strcmp(o->redis->owner, holder) == 0;
    memcpy(owner, o->redis->owner, sizeof(o->redis->owner));
    pthread_mutex_unlock(&o->redis->lock);
    return true;
}

bool outbox_release(struct outbox *o, const char *holder)
{
    if (fake_is_owner(o->redis, holder))
        fake_set_owner(o->redis, "");
    return true;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void add_minute(struct outbox_minutes *out, int64_t minute)
{
    for (size_t i = 0; i < out->n; i++)
        if (out->minutes[i] == minute)
            return;
    out->minutes[out->n++] = minute;
}

static void list_minutes(struct outbox *o, int partition, int64_t now_s, bool grown, size_t max,
    struct arena *arena, struct outbox_minutes *out)
{
    *out = (struct outbox_minutes){arena_alloc(arena, FAKE_ROWS_MAX * sizeof(int64_t)), 0};
    for (size_t i = 0; i < o->redis->n_rows; i++) {
        const struct fake_row *row = &o->redis->rows[i];
        if (row->partition == partition && (grown ? row->grown : row->dirty) &&
            is_due(o->redis, row->minute, now_s))
            add_minute(out, row->minute);
    }
    qsort(out->minutes, out->n, sizeof(int64_t), newest_first);
    out->n = out->n < max ? out->n : max;
}

bool outbox_minutes(struct outbox *o, int partition, int64_t now_s, size_t max, struct arena *arena,
    struct outbox_minutes *out, int64_t *oldest)
{
    pthread_mutex_lock(&o->redis->lock);
    bool away = o->redis->away[partition];
    o->redis->takes_of_look = 0;
    list_minutes(o, partition, now_s, false, max, arena, out);
    *oldest = out->n > 0 ? out->minutes[out->n - 1] : INT64_MAX;
    pthread_mutex_unlock(&o->redis->lock);
    return !away;
}

bool outbox_grown(
    struct outbox *o, int partition, size_t max, struct arena *arena, struct outbox_minutes *out)
{
    pthread_mutex_lock(&o->redis->lock);
    bool away = o->redis->away[partition];
    list_minutes(o, partition, INT64_MAX, true, max, arena, out);
    pthread_mutex_unlock(&o->redis->lock);
    return !away;
}

static int64_t total_of(const struct monitor *redis, const struct fake_row *of)
{
    int64_t seconds = 0;
    for (size_t i = 0; i < redis->n_rows; i++)
        if (strcmp(redis->rows[i].learner, of->learner) == 0 &&
            strcmp(redis->rows[i].lesson, of->lesson) == 0)
            seconds += mask_count(redis->rows[i].mask);
    return seconds;
}

static struct learner_masks read_row(
    const struct monitor *redis, const struct fake_row *row, struct arena *arena)
{
    struct lesson_mask *mask = arena_alloc(arena, sizeof(*mask));
    int64_t seconds = total_of(redis, row);
    *mask = (struct lesson_mask){
        slice_of(row->lesson), SLICE_LITERAL("live"), row->mask, seconds, seconds / 2, row->minute};
    return (struct learner_masks){
        .portal = SLICE_LITERAL("higher"), .learner = slice_of(row->learner), .masks = mask, .n_masks = 1};
}

/* Rows of one learner count as several learners of one lesson each: to the publisher it is all the same. */
static void take_portion(struct monitor *redis, struct outbox_taken *out, struct arena *arena)
{
    size_t i = out->cursor;
    out->n_learners = 0;
    out->n_unreadable = 0;
    out->learners = arena_alloc(arena, FAKE_ROWS_MAX * sizeof(*out->learners));
    for (; i < redis->n_rows && out->n_learners + out->n_unreadable < redis->take_max; i++) {
        const struct fake_row *row = &redis->rows[i];
        if (!row->dirty || row->partition != out->partition || row->minute != out->minute)
            continue;
        if (row->unreadable)
            out->n_unreadable++;
        else
            out->learners[out->n_learners++] = read_row(redis, row, arena);
    }
    out->cursor = i < redis->n_rows ? i : 0;
    out->done = true;
}

bool outbox_take(struct outbox *o, struct outbox_taken *portions, size_t n, struct arena *arena)
{
    struct monitor *redis = o->redis;
    for (size_t i = 0; i < n; i++) {
        nanosleep(&(struct timespec){0, redis->take_ms * 1000000}, NULL);
        o->waited_us += redis->take_ms * 1000;
        pthread_mutex_lock(&redis->lock);
        if (redis->takes++ == 0)
            redis->first_take_ms = clock_monotonic_ms();
        redis->takes_of_look++;
        if (redis->takes_of_look > redis->takes_most)
            redis->takes_most = redis->takes_of_look;
        take_portion(redis, &portions[i], arena);
        pthread_mutex_unlock(&redis->lock);
    }
    return true;
}

static void settle_row(struct monitor *redis, int64_t minute, const struct learner_masks *learner)
{
    for (size_t i = 0; i < redis->n_rows; i++) {
        struct fake_row *row = &redis->rows[i];
        if (row->minute == minute && slice_is(learner->learner, row->learner) &&
            slice_is(learner->masks[0].lesson, row->lesson) && row->mask == learner->masks[0].mask) {
            row->dirty = false;
            if (redis->settles++ == 0)
                redis->takes_to_first_settle = redis->takes;
        }
    }
}

bool outbox_settle(struct outbox *o, struct outbox_taken *portions, size_t n)
{
    pthread_mutex_lock(&o->redis->lock);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < portions[i].n_learners; k++)
            settle_row(o->redis, portions[i].minute, &portions[i].learners[k]);
        portions[i].done = true;
    }
    pthread_mutex_unlock(&o->redis->lock);
    return true;
}

static struct lesson_sum *find_sum(struct outbox_sums *out, const char *lesson)
{
    for (size_t i = 0; i < out->n; i++)
        if (slice_is(out->sums[i].lesson, lesson))
            return &out->sums[i];
    out->sums[out->n] = (struct lesson_sum){.lesson = slice_of(lesson), .course = SLICE_LITERAL("live")};
    return &out->sums[out->n++];
}

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
{
    *out = (struct outbox_sums){.minute = minute};
    out->sums = arena_alloc(arena, FAKE_ROWS_MAX * sizeof(*out->sums));
    out->partition_seconds = arena_alloc(arena, FAKE_PARTITIONS * sizeof(int64_t));
    pthread_mutex_lock(&o->redis->lock);
    for (size_t i = 0; i < o->redis->n_rows; i++) {
        const struct fake_row *row = &o->redis->rows[i];
        if (row->minute != minute)
            continue;
        struct lesson_sum *sum = find_sum(out, row->lesson);
        sum->watched_seconds += mask_count(row->mask);
        sum->learners++;
        out->partition_seconds[row->partition] += mask_count(row->mask);
    }
    pthread_mutex_unlock(&o->redis->lock);
    return true;
}

bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums)
{
    int64_t now[FAKE_PARTITIONS] = {0};
    pthread_mutex_lock(&o->redis->lock);
    for (size_t i = 0; i < o->redis->n_rows; i++)
        if (o->redis->rows[i].minute == sums->minute)
            now[o->redis->rows[i].partition] += mask_count(o->redis->rows[i].mask);
    for (size_t i = 0; i < o->redis->n_rows; i++) {
        struct fake_row *row = &o->redis->rows[i];
        if (row->minute == sums->minute && now[row->partition] == sums->partition_seconds[row->partition])
            row->grown = false;
    }
    pthread_mutex_unlock(&o->redis->lock);
    return true;
}

bool outbox_retire(struct outbox *o, int64_t now_ms, int64_t *floor)
{
    (void)now_ms;
    pthread_mutex_lock(&o->redis->lock);
    *floor = o->redis->floor;
    pthread_mutex_unlock(&o->redis->lock);
    return true;
}

int64_t outbox_early_minutes(const struct outbox *o)
{
    (void)o;
    return 0;
}

static void raise(int64_t *stored, int64_t *wished)
{
    *stored = *wished > *stored ? *wished : *stored;
    *wished = *stored;
}

bool outbox_watermark(struct outbox *o, int64_t *published_through, int64_t *final_through)
{
    struct monitor *redis = o->redis;
    pthread_mutex_lock(&redis->lock);
    if (redis->n_asked < FAKE_MARKS_MAX)
        redis->published_asked[redis->n_asked++] = *published_through;
    raise(&redis->marks[0], published_through);
    raise(&redis->marks[1], final_through);
    pthread_mutex_unlock(&redis->lock);
    return true;
}
