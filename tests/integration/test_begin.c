/* Making room for the next program, on real servers: what goes, what stays, what is refused, and a process
 * that ends at any step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "cases.h"
#include "publish/republish.h"
#include "redis/resp.h"
#include "run/begin.h"
#include "store_fixture.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { NOW_S = 1675000800, MINUTE = NOW_S / 60 - 1, CLOSES_S = NOW_S - 86400, FINAL_S = CLOSES_S + 600 };
enum { FLOOR = FINAL_S / 60, LEARNERS = 1500 /* more than one SCAN finds, as a rule */, STEPS_MAX = 500 };

#define OLD "winter"
#define NEW "spring"

/* ---- Redis ---- */

/* Of a cluster, the server that has the key. */
static redisReply *ask(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static redisReply *ask(struct fixture *f, const char *format, ...)
{
    redisReply *reply = NULL;
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    for (int i = 0; i < f->n_nodes && (reply == NULL || reply->type == REDIS_REPLY_ERROR); i++) {
        freeReplyObject(reply);
        reply = redisCommand(f->nodes[i].client, command);
    }
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply == NULL ? "no reply" : reply->str);
    return reply;
}

#define tell(...) freeReplyObject(ask(__VA_ARGS__))

static const char *field(struct fixture *f, const char *key, const char *name)
{
    static char text[4][128];
    static int next;
    char *out = text[next++ % 4];
    redisReply *reply = ask(f, "HGET %s %s", key, name);
    snprintf(out, sizeof(text[0]), "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    return out;
}

static const char *key_of(const struct fixture *f, int partition, const char *name)
{
    static char text[4][96];
    static int next;
    struct key_prefix prefix;
    char *out = text[next++ % 4];
    topology_key_prefix(&prefix, partition, f->config.redis.partitions);
    snprintf(out, sizeof(text[0]), "%.*s%s", (int)prefix.len, prefix.text, name);
    return out;
}

static int64_t floor_of(struct fixture *f, int partition)
{
    redisReply *reply = ask(f, "GET %s", key_of(f, partition, "floor"));
    int64_t floor = reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
    freeReplyObject(reply);
    return floor;
}

/* How many keys match PATTERN; deletes them if DELETED. */
static size_t count_keys(struct fixture *f, const char *pattern, bool deleted)
{
    size_t n = 0;
    for (int i = 0; i < f->n_nodes; i++) {
        redisReply *keys = redisCommand(f->nodes[i].client, "KEYS %s", pattern);
        assert_int_equal(keys->type, REDIS_REPLY_ARRAY);
        n += keys->elements;
        for (size_t k = 0; deleted && k < keys->elements; k++)
            freeReplyObject(redisCommand(f->nodes[i].client, "DEL %s", keys->element[k]->str));
        freeReplyObject(keys);
    }
    return n;
}

/* ---- the old program ---- */

/* Watched, published, final: nothing is dirty, and the floor has passed all of it. */
static void plant(struct fixture *f, int learners)
{
    enum { AT_ONCE = 100 };
    char names[AT_ONCE][16];
    struct store_run runs[AT_ONCE];
    for (int i = 0; i < learners; i += AT_ONCE) {
        int n = learners - i < AT_ONCE ? learners - i : AT_ONCE;
        for (int k = 0; k < n; k++) {
            snprintf(names[k], sizeof(names[k]), "c-%d", i + k);
            runs[k] = fixture_run(names[k], "a", MINUTE * INT64_C(60000), 1000, 0, 1000);
        }
        fixture_write(f, runs, (size_t)n);
    }
    for (size_t i = 0; i < 4; i++)
        count_keys(f,
            (const char *const[]){"minuted:*:d:*", "minuted:*:due", "minuted:*:ld", "minuted:*:w:*"}[i],
            true);
    for (int p = 0; p < f->config.redis.partitions; p++) {
        tell(f, "SET %s %d", key_of(f, p, "floor"), FLOOR);
        tell(f, "HSET %s id 99999999999999 taken 7 committed 7 waited 3", key_of(f, p, "epoch"));
        tell(f, "HSET %s:%d higher/x x", key_of(f, p, "w"), FLOOR / 10 - 1);
    }
    tell(f, "HDEL " KEY_SETTINGS " program_begins programs_ended");
    tell(f, "HSET " KEY_SETTINGS " program " OLD " program_closes %d", CLOSES_S);
    tell(f, "HSET " KEY_WATERMARKS " published_through %d final_through %d", NOW_S - 60, FINAL_S);
    tell(f, "HSET " KEY_REPUBLISH " asked 5 done 5");
    tell(f, "HSET {zzz}:t:c-1 a b");
    tell(f, "SET minuted:{zzz}:t:basic/foreign x");
}

/* The daemons that test this are of no program, so that they may be asked whichever there is. */
static int begin_nodes(void **state, int partitions, int nodes)
{
    const char *const clustered[] = {"--cluster-enabled", "yes", NULL};
    struct fixture *f = fixture_new(partitions, NOW_S * INT64_C(1000));
    *state = f;
    f->program = NULL;
    log_set_level(f->log, LOG_ERROR);
    for (int i = 0; i < nodes; i++)
        fixture_add_node(f, nodes > 1 ? clustered : NULL);
    if (nodes > 1)
        redis_process_join_cluster(f->nodes, nodes);
    fixture_start_ready(f, &f->nodes[0]);
    return 0;
}

static int begin_one(void **state)
{
    return begin_nodes(state, 2, 1);
}

static int begin_cluster(void **state)
{
    return begin_nodes(state, 12, 3);
}

static int end(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ---- the change ---- */

static struct begin *new_begin(struct fixture *f)
{
    return begin_new(f->outbox, &f->clock, NEW, "me");
}

/* Takes at most MOST steps; how it ended, and how many steps there were in *STEPS. */
static enum begin_status take_steps(struct fixture *f, struct begin *b, int most, int *steps)
{
    enum begin_status status = BEGIN_GOES_ON;
    for (*steps = 0; *steps < most && (status == BEGIN_GOES_ON || status == BEGIN_WAITS); ++*steps) {
        status = begin_step(b);
        if (status == BEGIN_WAITS)
            fixture_turn(f, 20000);
    }
    return status;
}

static void assert_begins(struct fixture *f)
{
    struct begin *b = new_begin(f);
    int steps;
    enum begin_status status = take_steps(f, b, STEPS_MAX, &steps);
    if (status != BEGIN_DONE)
        fail_msg("%d after %d steps: %s", (int)status, steps, begin_words(b));
    begin_free(b);
}

static void assert_begun(struct fixture *f)
{
    assert_int_equal(count_keys(f, "minuted:{[0-9]*}:[twld]*", false), 0);
    assert_int_equal(count_keys(f, KEY_WATERMARKS, false) + count_keys(f, KEY_REPUBLISH, false), 0);
    assert_int_equal(count_keys(f, "{zzz}:t:c-1", false) + count_keys(f, "minuted:{zzz}*", false), 2);
    assert_string_equal(field(f, KEY_SETTINGS, "program"), NEW);
    assert_string_equal(field(f, KEY_SETTINGS, "program_begins"), "");
    assert_string_equal(field(f, KEY_SETTINGS, "programs_ended"), OLD);
    assert_string_equal(field(f, KEY_SETTINGS, "program_closes"), "");
    for (int p = 0; p < f->config.redis.partitions; p++) {
        const char *epoch = key_of(f, p, "epoch");
        assert_int_equal(floor_of(f, p), FLOOR);
        assert_true(atoll(field(f, epoch, "id")) > 99999999999999);
        assert_true(atoll(field(f, epoch, "taken")) < 7); /* by barriers alone */
        assert_string_equal(field(f, epoch, "committed"), "");
        assert_string_equal(field(f, epoch, "floor_before"), "");
        assert_string_equal(field(f, epoch, "waited"), "");
    }
}

static void everything_of_the_old_program_goes(void **state)
{
    struct fixture *f = *state;
    plant(f, LEARNERS);
    assert_begins(f);
    assert_begun(f);
    assert_begins(f); /* a second time changes nothing */
    assert_begun(f);
    struct store_run run = fixture_run("c-1", "a", MINUTE * INT64_C(60000), 1000, 0, 1000);
    fixture_write(f, &run, 1);
    assert_int_equal(run.status, STORE_WRITTEN);
    assert_int_equal(run.credited_seconds, 1);
}

/* Wherever a process ends, the next one goes on. */
static void a_process_may_end_after_any_step(void **state)
{
    struct fixture *f = *state;
    int steps = 0;
    for (int cut = 1; steps == cut - 1; cut++) {
        plant(f, 30);
        struct begin *b = new_begin(f);
        enum begin_status status = take_steps(f, b, cut, &steps);
        assert_true(status != BEGIN_REFUSED);
        begin_free(b);
        assert_begins(f);
        assert_begun(f);
        assert_true(cut < STEPS_MAX);
    }
    assert_true(steps > 10);
}

/* ---- what is refused ---- */

static void forbid_by_words(struct fixture *f, const char *words)
{
    char begins[64], closes[64];
    struct begin *b = new_begin(f);
    int steps;
    snprintf(begins, sizeof(begins), "%s", field(f, KEY_SETTINGS, "program_begins"));
    snprintf(closes, sizeof(closes), "%s", field(f, KEY_SETTINGS, "program_closes"));
    enum begin_status status = take_steps(f, b, STEPS_MAX, &steps);
    if (status != BEGIN_REFUSED || strstr(begin_words(b), words) == NULL)
        fail_msg("%d: \"%s\", not \"%s\"", (int)status, begin_words(b), words);
    begin_free(b);
    assert_string_equal(field(f, KEY_SETTINGS, "program_begins"), begins);
    assert_string_equal(field(f, KEY_SETTINGS, "program_closes"), closes);
    assert_int_equal(count_keys(f, "minuted:{[0-9]*}:t:*", false), 30);
    assert_int_equal(count_keys(f, KEY_PUBLISHER, false), 0);
    for (int p = 0; p < f->config.redis.partitions; p++) {
        assert_int_equal(floor_of(f, p), FLOOR);
        assert_string_equal(field(f, key_of(f, p, "epoch"), "id"), "99999999999999");
        assert_string_equal(field(f, key_of(f, p, "epoch"), "floor_before"), "");
    }
}

/* What stands in the way. A KEY that begins with ':' is one of partition 1. */
static const struct obstacle {
    const char *command, *key, *arguments;
    const char *undo; /* of the key */
    const char *words;
} obstacles[] = {
    {"HDEL", KEY_SETTINGS, "program_closes", "HSET %s program_closes 1674914400", "does not say when"},
    {"HSET", KEY_SETTINGS, "program_closes never", "HSET %s program_closes 1674914400", "never closes"},
    {"HSET", KEY_SETTINGS, "program_closes 1674915001", "HSET %s program_closes 1674914400",
        "final_through in minuted:watermarks is 2023-01-28T14:10:00Z"},
    {"HDEL", KEY_WATERMARKS, "final_through", "HSET %s final_through 1674915000", "is not set"},
    {"HSET", KEY_SETTINGS, "program_begins closing:autumn", "HDEL %s program_begins",
        "the program winter is being begun"},
    {"HSET", KEY_REPUBLISH, "asked 6", "HSET %s asked 5", "minuted:republish"},
    {"HSET", ":epoch", "lost rolled_back", "HDEL %s lost", "partition 1 on"},
    {"ZADD", ":due", "1 27916679", "DEL %s", "holds due, which is not in Kafka yet"},
    {"SADD", ":ld", "27916679", "DEL %s", "holds ld, which is not in Kafka yet"},
    {"SADD", ":d:27916679", "higher/x", "DEL %s", "holds d:27916679, which is not in Kafka yet"},
    {"HSET", ":w:2791525", "higher/x x", "DEL %s", "holds w:2791525, which was credited after"},
};

static const char *obstacle_key(const struct fixture *f, const struct obstacle *o)
{
    return o->key[0] == ':' ? key_of(f, 1, o->key + 1) : o->key;
}

static void put(struct fixture *f, const struct obstacle *o)
{
    tell(f, "%s %s %s", o->command, obstacle_key(f, o), o->arguments);
}

static void take_away(struct fixture *f, const struct obstacle *o)
{
    char command[128];
    const char *key = obstacle_key(f, o);
    snprintf(command, sizeof(command), "%.*s%s%s", (int)(strstr(o->undo, "%s") - o->undo), o->undo, key,
        strstr(o->undo, "%s") + 2);
    tell(f, "%s", command);
}

static void what_stands_in_the_way_is_named(void **state)
{
    struct fixture *f = *state;
    plant(f, 30);
    assert_int_equal(CLOSES_S, 1674914400);
    for (size_t i = 0; i < COUNT(obstacles); i++) {
        put(f, &obstacles[i]);
        forbid_by_words(f, obstacles[i].words);
        take_away(f, &obstacles[i]);
    }
    redisReply *reply = redisCommand(
        fixture_settings_node(f)->client, "HSET " KEY_SETTINGS " programs_ended %s", "autumn " NEW " summer");
    freeReplyObject(reply);
    forbid_by_words(f, "has ended before");
    tell(f, "HDEL " KEY_SETTINGS " programs_ended");
    assert_begins(f);
    assert_begun(f);
}

/* A daemon with another catalog credits something just before the partitions are closed: all is taken back.
 */
static void what_comes_in_between_is_taken_back(void **state)
{
    struct fixture *f = *state;
    plant(f, 30);
    for (size_t i = 0; i < COUNT(obstacles); i++) {
        const struct obstacle *o = &obstacles[i];
        if (o->key[0] != ':')
            continue;
        struct begin *b = new_begin(f);
        int steps;
        do
            assert_int_equal(begin_step(b), BEGIN_GOES_ON);
        while (field(f, KEY_SETTINGS, "program_begins")[0] == '\0');
        assert_string_equal(field(f, KEY_SETTINGS, "program"), NEW);
        put(f, o);
        assert_int_equal(take_steps(f, b, STEPS_MAX, &steps), BEGIN_REFUSED);
        assert_non_null(strstr(begin_words(b), o->words));
        begin_free(b);
        assert_string_equal(field(f, KEY_SETTINGS, "program"), OLD);
        forbid_by_words(f, o->words);
        take_away(f, o);
    }
    assert_begins(f);
    assert_begun(f);
}

/* ---- others meanwhile ---- */

/* Also a daemon that does not know yet that it is not asked any more cannot write. */
static void a_closed_partition_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_run run = fixture_run("c-1", "a", MINUTE * INT64_C(60000), 2000, 0, 2000);
    int p = fixture_partition_of(f, "c-1");
    plant(f, 30);
    struct begin *b = new_begin(f);
    while (floor_of(f, p) == FLOOR)
        assert_int_equal(begin_step(b), BEGIN_GOES_ON);
    fixture_submit(f, &run, 1);
    assert_int_equal(run.status, STORE_UNAVAILABLE);
    begin_free(b);
    assert_begins(f);
    assert_begun(f);
}

static void whoever_publishes_is_waited_for(void **state)
{
    struct fixture *f = *state;
    int steps;
    plant(f, 30);
    tell(f, "SET " KEY_PUBLISHER " somebody");
    struct begin *b = new_begin(f);
    assert_int_equal(take_steps(f, b, 20, &steps), BEGIN_WAITS);
    assert_non_null(strstr(begin_words(b), "somebody"));
    assert_string_equal(field(f, KEY_SETTINGS, "program_begins"), "closing:" OLD);
    assert_int_equal(floor_of(f, 0), FLOOR);
    tell(f, "DEL " KEY_PUBLISHER);
    assert_int_equal(take_steps(f, b, STEPS_MAX, &steps), BEGIN_DONE);
    begin_free(b);
    assert_begun(f);
}

/* A cursor is its connection's. */
static void broken_connections_leave_nothing(void **state)
{
    struct fixture *f = *state;
    enum begin_status status = BEGIN_GOES_ON;
    plant(f, LEARNERS);
    struct begin *b = new_begin(f);
    for (int i = 0; status == BEGIN_GOES_ON || status == BEGIN_WAITS; i++) {
        assert_true(i < 20 * STEPS_MAX);
        status = begin_step(b);
        if (i % 3 == 0)
            for (int n = 0; n < f->n_nodes; n++)
                freeReplyObject(redisCommand(f->nodes[n].client, "CLIENT KILL TYPE normal SKIPME yes"));
        if (i > 60) /* now it may end */
            status = status == BEGIN_DONE ? status : (take_steps(f, b, STEPS_MAX, &(int){0}));
        fixture_turn(f, 2000);
    }
    assert_int_equal(status, BEGIN_DONE);
    begin_free(b);
    assert_begun(f);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin_one, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ONE(everything_of_the_old_program_goes),
        {"on a cluster", everything_of_the_old_program_goes, begin_cluster, end, NULL},
        ONE(a_process_may_end_after_any_step),
        ONE(what_stands_in_the_way_is_named),
        ONE(what_comes_in_between_is_taken_back),
        ONE(a_closed_partition_takes_nothing),
        ONE(whoever_publishes_is_waited_for),
        ONE(broken_connections_leave_nothing),
    };
    return CASES_RUN(argc, argv, tests);
}
