/*
 * The load generator's verification: of what was accepted one thing is made wrong, in Redis or in Kafka, and
 * must be counted to the second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "verify_fixture.h"

/* ---- nothing wrong ---- */

static void test_exactly_what_was_accepted(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
    assert_places(s, 0, 0, 0, 0);
    assert_in_range(s->v.waited_us, 1, (WAIT_MS - 1) * 1000);
}

static void test_json(void **state)
{
    struct scene *s = *state;
    s->writer.format = FORMAT_JSON;
    scene_publish(s);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
    assert_places(s, 0, 0, 0, 0);
}

/* Their ids begin alike, but are nobody's of the evidence. */
static void test_others_do_not_matter(void **state)
{
    static const char *const endings[] = {"", "x", "007", "1100", "1 ", "99999999999999999999"};
    struct scene *s = *state;
    scene_watch(s, "anna", "l1", BASE_S, 30);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s%s", s->prefix, endings[i]);
        scene_watch(s, name, "l1", BASE_S, 30);
    }
    scene_publish(s);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
    assert_places(s, 0, 0, 0, 0);
}

/* Another program's learners may have the same ids, and lessons too, in the same topics. */
static void test_another_program_does_not_matter(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    s->writer.program = "course-10";
    scene_publish_mask(s, 0, "l1", UINT64_C(3) << 58);
    scene_publish_total(s, 0, "l1", 34);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
    assert_places(s, 0, 0, 0, 0);
    s->evidence.program = "course";
    scene_verify_in_vain(s);
    assert_verdict(s, 2 * s->accepted_s, 0);
}

static void *publish_later(void *ctx)
{
    /* sleeps: the verification has begun by then, and waits; where it has not, it finds all at once */
    nanosleep(&(struct timespec){0, 700000000}, NULL);
    scene_publish(ctx);
    return NULL;
}

static void test_waits_for_kafka(void **state)
{
    struct scene *s = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_later, s), 0);
    scene_verify(s, WAIT_MS);
    pthread_join(thread, NULL);
    assert_verdict(s, 0, 0);
    assert_in_range(s->v.waited_us, 0, (WAIT_MS - 1) * 1000);
}

static void test_cluster(void **state)
{
    static const char *const clustered[] = {"--cluster-enabled", "yes", NULL};
    struct fixture *redis = fixture_new(PARTITIONS, (BASE_S + 7200) * 1000);
    (void)state;
    for (int i = 0; i < FIXTURE_NODES; i++)
        fixture_add_node(redis, clustered);
    redis_process_join_cluster(redis->nodes, FIXTURE_NODES);
    fixture_start_ready(redis, &redis->nodes[0]);
    struct scene *s = scene_new(redis);
    scene_publish(s);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 0);
    assert_places(s, 0, 0, 0, 0);
    scene_free(s);
    fixture_free(redis);
}

/* ---- Redis holds something else ---- */

static void test_a_bit_is_missing_in_redis(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value v = scene_masks(s, 0);
    *value_slot(&v, 7) ^= 1 << 3;
    scene_put(s, &v);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 1, 0);
    assert_places(s, 1, 0, 0, 0);
}

static void test_a_bit_too_many_in_redis(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value v = scene_masks(s, 0);
    value_slot(&v, 7)[4] ^= 1; /* second 30 */
    value_slot(&v, 2)[0] ^= 6; /* two of a minute in which nobody watched */
    scene_put(s, &v);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 3);
    assert_places(s, 0, 0, 0, 0);
}

/* Seconds that another lesson got are lost to the one and extra in the other. */
static void test_bits_in_another_lesson(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value v = scene_masks(s, 0);
    memcpy(v.bytes + v.len, v.bytes + 1, v.len - 1);
    v.bytes[v.len + 2] = '9'; /* l1 becomes l9 */
    memset(value_slot(&v, 7), 0, 8);
    v.len += v.len - 1;
    scene_put(s, &v);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 30, 30);
    assert_places(s, 30, 0, 0, 0);
}

static void test_masks_are_gone(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value v = scene_masks(s, 0);
    redis_process_command(scene_node(s), "HDEL %s %s", v.key, v.field);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 30, 0);
    assert_places(s, 30, 0, 0, 0);
}

static void test_totals_differ_in_redis(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    struct value less = scene_total(s, 0);
    struct value more = scene_total(s, 1);
    less.bytes[1] = (char)(less.bytes[1] - 5);
    more.bytes[1] = (char)(more.bytes[1] + 7);
    scene_put(s, &less);
    scene_put(s, &more);
    snprintf(less.field, sizeof(less.field), "another"); /* with the 25 s that are left */
    scene_put(s, &less);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 5, 7 + 25);
    assert_places(s, 0, 5 - 7 - 25, 0, 0);
}

/* All that a flush leaves is what Kafka had. */
static void test_everything_is_gone(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    redis_process_command(scene_node(s), "FLUSHALL");
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 2 * s->accepted_s, 0);
    assert_int_equal(s->v.redis_s, 0);
    assert_int_equal(s->v.redis_total_s, 0);
    assert_int_equal(s->v.kafka_s, s->accepted_s);
}

/* ---- Kafka holds something else ---- */

static void test_a_record_is_missing(void **state)
{
    struct scene *s = *state;
    s->withheld = 1099;
    scene_publish(s);
    int64_t wait_ms = scene_verify_in_vain(s);
    assert_verdict(s, (uint64_t)scene_length_of(1099), 0);
    assert_places(s, 0, 0, scene_length_of(1099), 0);
    assert_true(s->v.waited_us >= wait_ms * 1000);
}

static void test_nothing_was_published(void **state)
{
    struct scene *s = *state;
    scene_verify_in_vain(s);
    assert_verdict(s, 2 * s->accepted_s, 0);
    assert_int_equal(s->v.kafka_s, 0);
    assert_int_equal(s->v.kafka_total_s, 0);
}

/* Masks are merged, whatever comes last; of totals the last one is what an upserting consumer keeps. */
static void test_older_records_come_last(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    scene_publish_mask(s, 0, "l1", 1);
    scene_publish_total(s, 0, "l1", 18);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 12, 0);
    assert_places(s, 0, 0, 0, 0);
}

static void test_kafka_has_too_much(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    scene_publish_mask(s, 0, "l1", UINT64_C(3) << 58);
    scene_publish_total(s, 0, "l1", 34);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 2 + 4);
    assert_places(s, 0, 0, 0, -4);
}

static void test_another_lesson_in_kafka(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    for (int again = 0; again < 2; again++) {
        scene_publish_mask(s, 0, "x", 7);
        scene_publish_mask(s, 0, "x", 13);
        scene_publish_total(s, 0, "x", 9);
    }
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 4 + 9);
    assert_places(s, 0, 0, 0, -9);
}

/* More of what nobody accepted than fits at first. */
static void test_many_strays(void **state)
{
    struct scene *s = *state;
    scene_publish(s);
    for (size_t i = 0; i < 300; i++)
        scene_publish_mask(s, i, "another", 1);
    scene_verify(s, WAIT_MS);
    assert_verdict(s, 0, 300);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_exactly_what_was_accepted),
        CASE(test_json),
        CASE(test_others_do_not_matter),
        CASE(test_another_program_does_not_matter),
        CASE(test_waits_for_kafka),
        cmocka_unit_test(test_cluster),
        CASE(test_a_bit_is_missing_in_redis),
        CASE(test_a_bit_too_many_in_redis),
        CASE(test_bits_in_another_lesson),
        CASE(test_masks_are_gone),
        CASE(test_totals_differ_in_redis),
        CASE(test_a_record_is_missing),
        CASE(test_nothing_was_published),
        CASE(test_older_records_come_last),
        CASE(test_kafka_has_too_much),
        CASE(test_another_lesson_in_kafka),
        CASE(test_many_strays),
        CASE(test_everything_is_gone),
    };
    return cmocka_run_group_tests(tests, scene_group_begin, scene_group_end);
}
