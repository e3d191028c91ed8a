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

static redisReply reply_of(int type, const char *text)
{
    return (redisReply){.type = type, .str = (char *)text, .len = strlen(text)};
}

static void test_a_barrier_is_for_replicas_alone(void **state)
{
    static const struct {
        enum redis_durability durability;
        int replicas;
    } rows[] = {{DURABILITY_REPLICAS, 2}, {DURABILITY_FSYNC, 0}, {DURABILITY_MEMORY, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config = {.redis = {.durability = rows[i].durability, .replicas = 2}};
        assert_int_equal(barrier_replicas(&config), rows[i].replicas);
    }
    struct buf b = {0};
    barrier_encode(&b, 2);
    assert_true(slice_is(buf_slice(&b), "*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$4\r\n1000\r\n"));
    buf_free(&b);
}

static void test_a_barrier_needs_every_replica_that_is_asked_for(void **state)
{
    (void)state;
    int64_t acknowledged = 7;
    redisReply reply = {.type = REDIS_REPLY_INTEGER, .integer = 2};
    assert_true(barrier_holds(&reply, 2, &acknowledged));
    assert_int_equal(acknowledged, 2);
    assert_false(barrier_holds(&reply, 3, &acknowledged));
    assert_int_equal(acknowledged, 2);
    reply = reply_of(REDIS_REPLY_ERROR, "ERR no");
    assert_false(barrier_holds(&reply, 1, &acknowledged));
    assert_int_equal(acknowledged, 0);
    assert_false(barrier_holds(NULL, 1, &acknowledged));
    assert_int_equal(acknowledged, 0);
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
        cmocka_unit_test(test_a_library_is_loaded_once),
    };
    return cmocka_run_group_tests_name("redis answers", tests, NULL, NULL);
}
