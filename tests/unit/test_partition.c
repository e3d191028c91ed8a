/* Partitions: the hash is fixed, and tags spread evenly over the shards of a cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "redis/partition.h"

static void test_slot_is_the_clusters(void **state)
{
    (void)state;
    /* the check value of CRC16/XMODEM */
    assert_int_equal(cluster_slot(SLICE_LITERAL("123456789")), 0x31c3 % CLUSTER_SLOTS);
    assert_int_equal(cluster_slot(SLICE_LITERAL("")), 0);
    assert_int_equal(cluster_slot(SLICE_LITERAL("foo")), 12182);
}

static void test_hash_joins_portal_and_learner(void **state)
{
    (void)state;
    uint64_t hash = learner_hash(SLICE_LITERAL("basic"), SLICE_LITERAL("t-1"));
    assert_true(hash == learner_hash(SLICE_LITERAL("basic"), SLICE_LITERAL("t-1")));
    assert_true(hash != learner_hash(SLICE_LITERAL("basic"), SLICE_LITERAL("t-2")));
    assert_true(hash != learner_hash(SLICE_LITERAL("higher"), SLICE_LITERAL("t-1")));
    /* XXH64 of "demo/alice", seed 0: data that is stored under it must be found again by every later version
     */
    assert_true(learner_hash(SLICE_LITERAL("demo"), SLICE_LITERAL("alice")) == UINT64_C(0xb1fddbdef364e936));
}

static void test_tags_lie_in_the_middle_of_their_share(void **state)
{
    (void)state;
    for (int partitions = 1; partitions <= 256; partitions++) {
        for (int p = 0; p < partitions; p++) {
            char tag[PARTITION_TAG_MAX + 1];
            partition_tag(p, partitions, tag);
            double share = (double)CLUSTER_SLOTS / partitions;
            double at = cluster_slot(slice_of(tag)) / share;
            assert_true(at > p + 0.2 && at < p + 0.8);
        }
    }
}

static void test_shards_hold_equally_many(void **state)
{
    (void)state;
    for (int shards = 2; shards <= 16; shards *= 2) {
        int held[16] = {0};
        for (int p = 0; p < 16; p++) {
            char tag[PARTITION_TAG_MAX + 1];
            partition_tag(p, 16, tag);
            held[(int)cluster_slot(slice_of(tag)) * shards / CLUSTER_SLOTS]++;
        }
        for (int i = 0; i < shards; i++)
            assert_int_equal(held[i], 16 / shards);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_is_the_clusters),
        cmocka_unit_test(test_hash_joins_portal_and_learner),
        cmocka_unit_test(test_tags_lie_in_the_middle_of_their_share),
        cmocka_unit_test(test_shards_hold_equally_many),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
