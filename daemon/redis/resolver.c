/* The addresses behind host names. */
#include "redis/resolver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    NAMES_MAX = 128,      /* a cluster has 64 primaries, the configuration 16 addresses */
    FRESH_MS = 500,       /* what was found so lately is not looked up again */
    FIRST_WAIT_MS = 1000, /* for a name of which nothing is known yet */
    NEWS_WAIT_MS = 100    /* for a name of which something is */
};

struct name {
    struct endpoint endpoint;
    bool used;
    bool under_way;                  /* a thread looks it up */
    int64_t began_ms;                /* when the last lookup did, monotonic */
    int64_t ended_ms;                /* when the last one did */
    int64_t wanted_ms;               /* when it was last asked for */
    struct endpoint_addresses found; /* none: not known */
    struct endpoint_address preferred;
    struct endpoint_addresses passed_over; /* in the order in which they were */
};

/* Shared with the threads, the last of whom frees it: nothing ends a lookup early. */
struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int references;
    struct name names[NAMES_MAX];
};

struct lookup {
    struct resolver *resolver;
    struct name *name;
    struct endpoint endpoint;
};

struct resolver *resolver_new(void)
{
    struct resolver *r = mem_zalloc(sizeof(*r));
    r->references = 1;
    pthread_mutex_init(&r->lock, NULL);
    clock_init_condition(&r->ended);
    return r;
}

/* Unlocks R, which the last one frees. */
static void unref_locked(struct resolver *r)
{
    bool last = --r->references == 0;
    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    unref_locked(r);
}

/* ---- looking up ---- */

static void *look_up(void *ctx)
{
    struct lookup *lookup = ctx;
    struct resolver *r = lookup->resolver;
    struct endpoint_addresses found;
    bool good = endpoint_addresses(&lookup->endpoint, &found);
    pthread_mutex_lock(&r->lock);
    if (good)
        lookup->name->found = found;
    lookup->name->under_way = false;
    lookup->name->ended_ms = clock_monotonic_ms();
    pthread_cond_broadcast(&r->ended);
    unref_locked(r);
    free(lookup);
    return NULL;
}

static void start_lookup(struct resolver *r, struct name *name)
{
    struct lookup *lookup = mem_alloc(sizeof(*lookup));
    pthread_attr_t attributes;
    pthread_t thread;
    *lookup = (struct lookup){r, name, name->endpoint};
    name->began_ms = clock_monotonic_ms();
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    name->under_way = pthread_create(&thread, &attributes, look_up, lookup) == 0;
    pthread_attr_destroy(&attributes);
    if (name->under_way)
        r->references++;
    else
        free(lookup); /* no thread can be had: the next time, perhaps */
}

/* The entry of ENDPOINT, in place of what was wanted least lately; NULL when all of them are being looked up.
 */
static struct name *find_name(struct resolver *r, const struct endpoint *endpoint)
{
    struct name *oldest = NULL;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct name *name = &r->names[i];
        if (name->used && name->endpoint.port == endpoint->port &&
            strcmp(name->endpoint.host, endpoint->host) == 0)
            return name;
        if (!name->under_way && (oldest == NULL || name->wanted_ms < oldest->wanted_ms))
            oldest = name;
    }
    if (oldest != NULL)
        *oldest = (struct name){.endpoint = *endpoint, .used = true};
    return oldest;
}

/* ---- the order of addresses ---- */

/* The index of ADDRESS; the list's length where it is not in it. */
static size_t find_address(const struct endpoint_addresses *list, const struct endpoint_address *address)
{
    size_t i = 0;
    while (i < list->n && !endpoint_address_equal(&list->items[i], address))
        i++;
    return i;
}

static void move_address(struct endpoint_addresses *list, size_t from, size_t to)
{
    struct endpoint_address moved = list->items[from];
    for (; from > to; from--)
        list->items[from] = list->items[from - 1];
    for (; from < to; from++)
        list->items[from] = list->items[from + 1];
    list->items[to] = moved;
}

/* What is preferred comes first even if it was passed over before. */
static void sort_addresses(const struct name *name, struct endpoint_addresses *list)
{
    for (size_t i = 0; i < name->passed_over.n; i++) {
        size_t at = find_address(list, &name->passed_over.items[i]);
        if (at < list->n)
            move_address(list, at, list->n - 1);
    }
    size_t at = find_address(list, &name->preferred);
    if (at < list->n)
        move_address(list, at, 0);
}

/* ---- the interface ---- */

bool resolver_find(struct resolver *r, const struct endpoint *endpoint, struct endpoint_addresses *out)
{
    out->n = 0;
    if (endpoint_is_numeric(endpoint))
        return endpoint_addresses(endpoint, out);
    pthread_mutex_lock(&r->lock);
    struct name *name = find_name(r, endpoint);
    if (name != NULL) {
        int64_t now_ms = clock_monotonic_ms();
        name->wanted_ms = now_ms;
        if (!name->under_way && (name->ended_ms == 0 || now_ms - name->ended_ms >= FRESH_MS))
            start_lookup(r, name);
        int64_t patience_ms = name->found.n > 0 ? NEWS_WAIT_MS : FIRST_WAIT_MS;
        int64_t left_ms = name->began_ms + patience_ms - clock_monotonic_ms();
        struct timespec until = clock_deadline(left_ms > 0 ? left_ms : 0);
        while (name->under_way)
            if (pthread_cond_timedwait(&r->ended, &r->lock, &until) != 0)
                break;
        *out = name->found;
        sort_addresses(name, out);
    }
    pthread_mutex_unlock(&r->lock);
    return out->n > 0;
}

void resolver_prefer(
    struct resolver *r, const struct endpoint *endpoint, const struct endpoint_address *address)
{
    if (endpoint_is_numeric(endpoint))
        return;
    pthread_mutex_lock(&r->lock);
    struct name *name = find_name(r, endpoint);
    if (name != NULL)
        name->preferred = *address;
    pthread_mutex_unlock(&r->lock);
}

void resolver_pass_over(
    struct resolver *r, const struct endpoint *endpoint, const struct endpoint_address *address)
{
    if (endpoint_is_numeric(endpoint))
        return;
    pthread_mutex_lock(&r->lock);
    struct name *name = find_name(r, endpoint);
    if (name != NULL) {
        struct endpoint_addresses *list = &name->passed_over;
        size_t at = find_address(list, address);
        if (at == ENDPOINT_ADDRESSES_MAX)
            at = 0; /* the one that was passed over first makes room */
        else if (at == list->n)
            list->n++;
        list->items[at] = *address;
        move_address(list, at, list->n - 1);
        if (endpoint_address_equal(&name->preferred, address))
            name->preferred = (struct endpoint_address){0};
    }
    pthread_mutex_unlock(&r->lock);
}
