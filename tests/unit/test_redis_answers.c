/* What answers of Redis mean to the barrier and to the library of functions, and what is sent for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config/config.h"
#include "redis/barrier.h"
#include "redis/library.h"
#include "redis/topology.h"

static redisReply reply_of(int type, const char *text)
{
    return (redisReply){.type = type, .str = (char *)text, .len = strlen(text)};
}

static void assert_encoded(int step, const char *command)
{
    struct buf b = {0};
    barrier_encode(&b, (struct barrier){2, 2}, step);
    assert_true(slice_equal(buf_slice(&b), slice_of(command)));
    buf_free(&b);
}

static void test_a_barrier_is_for_replicas_alone(void **state)
{
    static const struct {
        struct redis_durability durability;
        bool has_waitaof;
        struct barrier barrier;
    } rows[] = {
        {{.replicas = 2}, false, {1, 2}},
        {{.replicas = 2}, true, {1, 2}},
        {{.fsync = true, .replicas = 2}, false, {1, 2}},
        {{.fsync = true, .replicas = 2}, true, {2, 2}},
        {{.fsync = true}, true, {0, 0}},
        {{0}, true, {0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config = {.redis = {.durability = rows[i].durability}};
        struct barrier barrier = barrier_of(&config, rows[i].has_waitaof);
        assert_int_equal(barrier.replicas, rows[i].barrier.replicas);
        assert_int_equal(barrier.steps, rows[i].barrier.steps);
    }
    assert_encoded(BARRIER_MEMORY, "*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$4\r\n1000\r\n");
    assert_encoded(BARRIER_DISKS, "*4\r\n$7\r\nWAITAOF\r\n$1\r\n1\r\n$1\r\n2\r\n$4\r\n1000\r\n");
}

static void assert_holds(const redisReply *reply, int replicas, int step, bool holds, int64_t acknowledged)
{
    int64_t told = 7;
    assert_int_equal(barrier_holds(reply, (struct barrier){2, replicas}, step, &told), holds);
    assert_int_equal(told, acknowledged);
}

static void test_a_barrier_needs_every_replica_that_is_asked_for(void **state)
{
    (void)state;
    redisReply reply = {.type = REDIS_REPLY_INTEGER, .integer = 2};
    assert_holds(&reply, 2, BARRIER_MEMORY, true, 2);
    assert_holds(&reply, 3, BARRIER_MEMORY, false, 2);
    assert_holds(&reply, 1, BARRIER_DISKS, false, 0); /* WAIT's answer is not WAITAOF's */
    reply = reply_of(REDIS_REPLY_ERROR, "ERR no");
    assert_holds(&reply, 1, BARRIER_MEMORY, false, 0);
    assert_holds(&reply, 1, BARRIER_DISKS, false, 0);
    assert_holds(NULL, 1, BARRIER_MEMORY, false, 0);
    assert_holds(NULL, 1, BARRIER_DISKS, false, 0);
}

static void test_a_barrier_of_disks_needs_the_primarys_too(void **state)
{
    static const struct {
        long long local, replicas;
        bool holds;
    } rows[] = {{1, 2, true}, {1, 3, true}, {1, 1, false}, {0, 2, false}, {0, 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        redisReply local = {.type = REDIS_REPLY_INTEGER, .integer = rows[i].local};
        redisReply replicas = {.type = REDIS_REPLY_INTEGER, .integer = rows[i].replicas};
        redisReply *both[] = {&local, &replicas};
        redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = both};
        assert_holds(&reply, 2, BARRIER_DISKS, rows[i].holds, rows[i].replicas);
        assert_holds(&reply, 2, BARRIER_MEMORY, false, 0);
    }
}

/* Another daemon of the same build may have been first; a library of another name is none of ours. */
static void test_a_library_is_loaded_once(void **state)
{
    static const struct redis_library library = {.name = "minuted_a1", .text = "#!lua name=minuted_a1\n"};
    (void)state;
    redisReply loaded = reply_of(REDIS_REPLY_STRING, "minuted_a1");
    redisReply there = reply_of(REDIS_REPLY_ERROR, "ERR Library 'minuted_a1' already exists");
    redisReply other = reply_of(REDIS_REPLY_ERROR, "ERR Library 'minuted_a12' already exists");
    redisReply refused = reply_of(REDIS_REPLY_ERROR, "NOPERM this user has no permissions");
    assert_true(library_is_loaded(&library, &loaded));
    assert_true(library_is_loaded(&library, &there));
    assert_false(library_is_loaded(&library, &other));
    assert_false(library_is_loaded(&library, &refused));
    assert_false(library_is_loaded(&library, NULL));
    assert_true(library_is_missing("ERR Function not found"));
    assert_false(library_is_missing(refused.str));
    struct buf b = {0};
    library_encode_load(&b, &library);
    assert_true(
        slice_is(buf_slice(&b), "*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$22\r\n#!lua name=minuted_a1\n\r\n"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_barrier_is_for_replicas_alone),
        cmocka_unit_test(test_a_barrier_needs_every_replica_that_is_asked_for),
        cmocka_unit_test(test_a_barrier_of_disks_needs_the_primarys_too),
        cmocka_unit_test(test_a_library_is_loaded_once),
    };
    return cmocka_run_group_tests_name("redis answers", tests, NULL, NULL);
}
