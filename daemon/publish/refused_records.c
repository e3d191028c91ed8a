/* The records that Kafka refuses by themselves. */
#include "publish/refused_records.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

enum { SLOTS = 1024 };

struct refused {
    struct refused *next; /* of its slot */
    enum record_kind kind;
    int64_t until_ms; /* steady */
    size_t len;
    char key[];
};

/* What is known of a kind's topic. Times are those of records, apart from `until_ms`, which is steady. */
struct bounds {
    int64_t oldest; /* of those that it has taken since the connecting; INT64_MAX: none */
    int64_t newest; /* INT64_MIN: none */
    int64_t before; /* it refuses what is dated so or earlier; INT64_MIN: none */
    int64_t after;  /* and what is dated so or later; INT64_MAX: none */
    int64_t until_ms;
};

struct refused_records {
    struct refused *slots[SLOTS];
    size_t n;
    struct bounds bounds[RECORD_KINDS];
};

static void forget_bounds(struct bounds *b)
{
    b->before = INT64_MIN;
    b->after = INT64_MAX;
}

struct refused_records *refused_records_new(void)
{
    struct refused_records *r = mem_zalloc(sizeof(*r));
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        forget_bounds(&r->bounds[kind]);
    refused_records_begin(r);
    return r;
}

void refused_records_free(struct refused_records *r)
{
    (void)refused_records_expire(r, INT64_MAX);
    free(r);
}

void refused_records_begin(struct refused_records *r)
{
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        r->bounds[kind].oldest = INT64_MAX;
        r->bounds[kind].newest = INT64_MIN;
    }
}

void refused_records_note_taken(struct refused_records *r, enum record_kind kind, int64_t time_ms)
{
    struct bounds *b = &r->bounds[kind];
    if (time_ms < b->oldest)
        b->oldest = time_ms;
    if (time_ms > b->newest)
        b->newest = time_ms;
    /* It was taken, whatever was thought of its time. */
    if (time_ms <= b->before || time_ms >= b->after)
        forget_bounds(b);
}

static size_t slot_of(enum record_kind kind, struct slice key)
{
    return XXH64(key.ptr, key.len, kind) % SLOTS;
}

static struct refused *find(const struct refused_records *r, enum record_kind kind, struct slice key)
{
    struct refused *f = r->slots[slot_of(kind, key)];
    while (f != NULL && (f->kind != kind || !slice_equal((struct slice){f->key, f->len}, key)))
        f = f->next;
    return f;
}

/* A time between those that the topic has taken tells nothing of others. Returns whether it tells something.
 */
static bool move_bounds(struct bounds *b, int64_t time_ms, int64_t until_ms)
{
    if (b->oldest > b->newest || (time_ms >= b->oldest && time_ms <= b->newest))
        return false;
    if (time_ms < b->oldest && time_ms > b->before)
        b->before = time_ms;
    if (time_ms > b->newest && time_ms < b->after)
        b->after = time_ms;
    b->until_ms = until_ms;
    return true;
}

bool refused_records_add(struct refused_records *r, enum record_kind kind, struct slice key, int64_t time_ms,
    bool for_its_time, int64_t now_ms)
{
    int64_t until_ms = now_ms + REFUSED_RECORDS_MS;
    struct refused *f = find(r, kind, key);
    bool bounded = for_its_time && move_bounds(&r->bounds[kind], time_ms, until_ms);
    if (f == NULL && r->n == REFUSED_RECORDS_MAX)
        return bounded;
    if (f == NULL) {
        struct refused **slot = &r->slots[slot_of(kind, key)];
        f = mem_alloc(sizeof(*f) + key.len);
        *f = (struct refused){.next = *slot, .kind = kind, .len = key.len};
        memcpy(f->key, key.ptr, key.len);
        *slot = f;
        r->n++;
    }
    f->until_ms = until_ms;
    return true;
}

bool refused_records_has(const struct refused_records *r, const struct record *record, int64_t now_ms)
{
    const struct bounds *b = &r->bounds[record->kind];
    if (now_ms < b->until_ms && (record->time_ms <= b->before || record->time_ms >= b->after))
        return true;
    const struct refused *f = find(r, record->kind, record->key);
    return f != NULL && now_ms < f->until_ms;
}

bool refused_records_any(const struct refused_records *r)
{
    return r->n > 0; /* Bounds come with a record, and are forgotten with the last one or before. */
}

size_t refused_records_expire(struct refused_records *r, int64_t now_ms)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (struct refused **at = &r->slots[i]; *at != NULL;) {
            struct refused *f = *at;
            if (now_ms < f->until_ms) {
                at = &f->next;
                continue;
            }
            *at = f->next;
            r->n--;
            free(f);
        }
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        if (now_ms >= r->bounds[kind].until_ms)
            forget_bounds(&r->bounds[kind]);
    return r->n;
}
