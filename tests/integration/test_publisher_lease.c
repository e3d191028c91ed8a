/*
 * Two daemons of a deployment, of which the first publishes: the lease goes to the second when that one could
 * publish more, and only then. Each has a user of its own in Redis, so a server can be out of reach for one
 * of them alone. The holder's clock is moved on; that of the other goes on by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "publisher_fixture.h"
#include "redis/resp.h"

enum { MOVE_MS = 500, MASKS = 12 };

#define NOWHERE "127.0.0.1:1"

static struct config_property wrong[] = {{.name = (char[]){"linger.ms"}, .value = (char[]){"never"}}};

struct daemon {
    char name[16]; /* also of its user */
    bool wrong;    /* it is configured so that it cannot publish */
    struct fixture *fixture;
    struct publisher *publisher;
};

struct pair {
    struct publisher_fixture *f; /* for watching, and for looking on */
    struct daemon first, second;
};

static struct redis_process *node_of(struct fixture *f, const char *key)
{
    int slot = (int)topology_slot_of(slice_of(key));
    int node = 0;
    while (slot >= (node + 1) * CLUSTER_SLOTS / f->n_nodes)
        node++;
    return &f->nodes[node];
}

static void start_daemon(struct pair *pair, struct daemon *d, const char *name, const char *brokers)
{
    struct publisher_fixture *f = pair->f;
    snprintf(d->name, sizeof(d->name), "%s", name);
    for (int i = 0; i < f->redis->n_nodes; i++)
        redis_process_command(&f->redis->nodes[i], "ACL SETUSER %s on >secret ~minuted:* +@all", name);
    d->fixture = fixture_new(f->redis->config.redis.partitions, NOW_S * INT64_C(1000));
    struct config *config = &d->fixture->config;
    config->kafka.format = FORMAT_JSON;
    config->kafka.properties = d->wrong ? wrong : f->redis->config.kafka.properties;
    config->kafka.n_properties = d->wrong ? 1 : f->redis->config.kafka.n_properties;
    config->redis.login.username = d->name;
    config->redis.login.password = (struct secret){.bytes = (char *)"secret", .len = 6};
    log_set_level(d->fixture->log, getenv("VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR);
    fixture_start_ready(d->fixture, node_of(f->redis, KEY_PUBLISHER)); /* It is cut off from others alone. */
    d->publisher = publisher_start(
        config, PROGRAM, brokers, d->name, d->fixture->monitor, &d->fixture->clock, d->fixture->log);
}

static const struct publish_counters *of(const struct daemon *d)
{
    return publisher_counters(d->publisher);
}

/* The first one holds the lease before the second one comes. BROKERS: as it finds them. */
static void start(struct pair *pair, const char *brokers_first, const char *brokers_second)
{
    start_daemon(pair, &pair->first, "first", brokers_first);
    WAIT_UNTIL(of(&pair->first)->holds_lease == 1);
    start_daemon(pair, &pair->second, "second", brokers_second);
}

static void move(struct pair *pair)
{
    _Atomic int64_t *clock = &pair->first.fixture->clock.steady_ms;
    int64_t now_ms = atomic_load(clock);
    atomic_store(clock, (now_ms == 0 ? clock_monotonic_ms() : now_ms) + MOVE_MS);
    pause_ms(MOVE_MS / 5);
}

#define MOVE_UNTIL(pair, condition)                                                                          \
    do {                                                                                                     \
        int64_t until_ms_ = clock_monotonic_ms() + PATIENCE_MS;                                              \
        while (!(condition)) {                                                                               \
            if (clock_monotonic_ms() > until_ms_)                                                            \
                fail_msg("in vain: %s", #condition);                                                         \
            move(pair);                                                                                      \
        }                                                                                                    \
    } while (0)

/* A server that holds nothing but partitions. */
static struct redis_process *plain_node(struct fixture *f)
{
    for (int i = 0; i < f->n_nodes; i++)
        if (&f->nodes[i] != node_of(f, KEY_PUBLISHER) && &f->nodes[i] != node_of(f, KEY_SETTINGS))
            return &f->nodes[i];
    abort();
}

static void cut_off(const struct daemon *d, struct redis_process *node)
{
    redis_process_command(node, "ACL SETUSER %s off", d->name);
    redis_process_command(node, "CLIENT KILL USER %s", d->name);
}

static void let_in(const struct daemon *d, struct redis_process *node)
{
    redis_process_command(node, "ACL SETUSER %s on", d->name);
}

/* One learner in each partition. */
static void watch_everywhere(struct publisher_fixture *f, int64_t minute)
{
    for (int p = 0; p < f->redis->config.redis.partitions; p++)
        watch(f, minute, learner_in(f, p, 0), "a", 0, 3);
}

/* What D has said that it could publish, since a holder last asked; -1: nothing. */
static int offered(struct pair *pair, const struct daemon *d)
{
    redisReply *reply =
        redisCommand(node_of(pair->f->redis, KEY_PUBLISHER)->client, "HGET %s %s", KEY_OFFERS, d->name);
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    int number = reply->type == REDIS_REPLY_STRING ? atoi(reply->str) : -1;
    freeReplyObject(reply);
    return number;
}

/* Whether the holder goes on asking, and more often than it takes it to give the lease away. */
static void check_kept(struct pair *pair)
{
    enum { TIMES = 40 };
    for (int i = 0; i < TIMES; i++) {
        move(pair);
        assert_int_equal(of(&pair->second)->holds_lease, 0);
    }
    assert_int_equal(of(&pair->first)->holds_lease, 1);
}

/* ---- tests ---- */

static void a_holder_cut_off_from_a_server_gives_the_lease_to_one_that_is_not(void **state)
{
    struct pair *pair = *state;
    struct redis_process *node = plain_node(pair->f->redis);
    start(pair, pair->f->brokers, pair->f->brokers);
    WAIT_UNTIL(of(&pair->first)->transactions > 0);
    cut_off(&pair->first, node);
    watch_everywhere(pair->f, MINUTE);
    MOVE_UNTIL(pair, of(&pair->second)->holds_lease == 1);
    WAIT_UNTIL(of(&pair->first)->holds_lease == 0);
    WAIT_UNTIL(of(&pair->second)->published_through == MINUTE_START + 60);
    assert_int_equal(of(&pair->first)->learner_masks + of(&pair->second)->learner_masks, MASKS);
    /* Who gave it up sees everything again, and does not take it back. */
    let_in(&pair->first, node);
    fixture_await_state(pair->first.fixture, MONITOR_READY, "");
    MOVE_UNTIL(pair, offered(pair, &pair->first) == -1);
    check_kept(&(struct pair){.f = pair->f, .first = pair->second, .second = pair->first});
}

static void the_lease_stays_where_nobody_sees_more(void **state)
{
    struct pair *pair = *state;
    struct redis_process *node = plain_node(pair->f->redis);
    start(pair, pair->f->brokers, pair->f->brokers);
    WAIT_UNTIL(of(&pair->first)->transactions > 0);
    cut_off(&pair->second, node);
    fixture_await_state(pair->second.fixture, MONITOR_UNREACHABLE, "");
    cut_off(&pair->first, node);
    watch_everywhere(pair->f, MINUTE);
    MOVE_UNTIL(pair, offered(pair, &pair->second) >= 0);
    check_kept(pair);
    assert_int_equal(of(&pair->first)->learner_masks, MASKS * 2 / 3);
    let_in(&pair->first, node);
    MOVE_UNTIL(pair, of(&pair->first)->learner_masks == MASKS);
    MOVE_UNTIL(pair, of(&pair->first)->published_through == MINUTE_START + 60);
}

static void a_holder_that_does_not_reach_kafka_gives_the_lease_to_one_that_does(void **state)
{
    struct pair *pair = *state;
    watch(pair->f, MINUTE, "t-1", "a", 0, 3);
    start(pair, NOWHERE, pair->f->brokers);
    MOVE_UNTIL(pair, of(&pair->second)->holds_lease == 1);
    WAIT_UNTIL(settled(pair->f));
    check_kept(&(struct pair){.f = pair->f, .first = pair->second, .second = pair->first});
}

static void the_lease_stays_where_nobody_reaches_kafka(void **state)
{
    struct pair *pair = *state;
    start(pair, NOWHERE, NOWHERE);
    MOVE_UNTIL(pair, offered(pair, &pair->second) >= 0);
    check_kept(pair);
}

/* Its configuration is at fault, and not the way to Kafka. */
static void a_holder_that_fails_for_half_a_minute_gives_the_lease_to_one_that_reaches_kafka(void **state)
{
    struct pair *pair = *state;
    pair->first.wrong = true;
    start(pair, pair->f->brokers, pair->f->brokers);
    MOVE_UNTIL(pair, of(&pair->second)->holds_lease == 1);
}

/* ---- around them ---- */

static int begin_with(void **state, int (*begin)(void **))
{
    void *f = NULL;
    if (begin(&f) != 0)
        return -1;
    struct pair *pair = calloc(1, sizeof(*pair));
    if (pair == NULL)
        return -1;
    pair->f = f;
    publisher_fixture_make_cluster(pair->f, NULL);
    *state = pair;
    return 0;
}

static int begin(void **state)
{
    return begin_with(state, publisher_fixture_begin);
}

static int begin_cluster(void **state)
{
    return begin_with(state, publisher_fixture_begin_cluster);
}

static void stop_daemon(struct daemon *d)
{
    if (d->publisher != NULL)
        publisher_stop(d->publisher, 1000);
    if (d->fixture != NULL)
        fixture_free(d->fixture);
}

static int end(void **state)
{
    struct pair *pair = *state;
    void *f = pair->f;
    /* Else a held clock holds up the end. */
    if (pair->first.fixture != NULL)
        atomic_store(&pair->first.fixture->clock.steady_ms, 0);
    if (pair->second.fixture != NULL)
        atomic_store(&pair->second.fixture->clock.steady_ms, 0);
    stop_daemon(&pair->first);
    stop_daemon(&pair->second);
    free(pair);
    return publisher_fixture_end(&f);
}

#define PAIR_TEST(test, begin) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(a_holder_cut_off_from_a_server_gives_the_lease_to_one_that_is_not, begin_cluster),
        PAIR_TEST(the_lease_stays_where_nobody_sees_more, begin_cluster),
        PAIR_TEST(a_holder_that_does_not_reach_kafka_gives_the_lease_to_one_that_does, begin),
        PAIR_TEST(the_lease_stays_where_nobody_reaches_kafka, begin),
        PAIR_TEST(a_holder_that_fails_for_half_a_minute_gives_the_lease_to_one_that_reaches_kafka, begin),
    };
    return CASES_RUN(argc, argv, tests);
}
