/* Partitions: the hash is fixed, and tags spread evenly over the shards of a cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "redis/topology.h"

static void test_slot_is_the_clusters(void **state)
{
    (void)state;
    /* the check value of CRC16/XMODEM */
    assert_int_equal(topology_slot_of(SLICE_LITERAL("123456789")), 0x31c3 % CLUSTER_SLOTS);
    assert_int_equal(topology_slot_of(SLICE_LITERAL("")), 0);
    assert_int_equal(topology_slot_of(SLICE_LITERAL("foo")), 12182);
}

static void test_hash_joins_portal_and_learner(void **state)
{
    (void)state;
    uint64_t hash = topology_hash_learner(SLICE_LITERAL("basic"), SLICE_LITERAL("t-1"));
    assert_true(hash == topology_hash_learner(SLICE_LITERAL("basic"), SLICE_LITERAL("t-1")));
    assert_true(hash != topology_hash_learner(SLICE_LITERAL("basic"), SLICE_LITERAL("t-2")));
    assert_true(hash != topology_hash_learner(SLICE_LITERAL("higher"), SLICE_LITERAL("t-1")));
    /* XXH64 of "demo/alice", seed 0: data that is stored under it must be found again by every later version
     */
    assert_true(
        topology_hash_learner(SLICE_LITERAL("demo"), SLICE_LITERAL("alice")) == UINT64_C(0xb1fddbdef364e936));
}

static void test_tags_lie_in_the_middle_of_their_share(void **state)
{
    (void)state;
    for (int partitions = 1; partitions <= 256; partitions++) {
        for (int p = 0; p < partitions; p++) {
            char tag[TOPOLOGY_TAG_MAX + 1];
            topology_tag(p, partitions, tag);
            double share = (double)CLUSTER_SLOTS / partitions;
            double at = topology_slot_of(slice_of(tag)) / share;
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
            char tag[TOPOLOGY_TAG_MAX + 1];
            topology_tag(p, 16, tag);
            held[(int)topology_slot_of(slice_of(tag)) * shards / CLUSTER_SLOTS]++;
        }
        for (int i = 0; i < shards; i++)
            assert_int_equal(held[i], 16 / shards);
    }
}

/*
 * The tags are part of every key: a daemon with other ones would not find what is stored. So they are fixed
 * by what they were from the first day on: the 16 of a cluster in full, those of other numbers by a hash of
 * all of them, each with its NUL.
 */
static void test_tags_are_what_they_were(void **state)
{
    static const char *const of_sixteen[] = {"0.13", "1.18", "2.20", "3.8", "4.63", "5.68", "6.43", "7.48",
        "8.20", "9.38", "10.48", "11.43", "12.1", "13.2", "14.38", "15.20"};
    static const struct {
        int partitions;
        uint64_t hash; /* XXH64, seed 0 */
    } all[] = {
        {1, UINT64_C(0x569a892b2e134da8)},
        {4, UINT64_C(0xa41f7f32572d0ea6)},
        {16, UINT64_C(0x80e5c80c994a823e)},
        {64, UINT64_C(0xc593fe1e585c765a)},
        {256, UINT64_C(0xb8b41cefdc0129ff)},
    };
    (void)state;
    char tag[TOPOLOGY_TAG_MAX + 1];
    for (int p = 0; p < 16; p++) {
        topology_tag(p, 16, tag);
        assert_string_equal(tag, of_sixteen[p]);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct buf tags = {0};
        for (int p = 0; p < all[i].partitions; p++) {
            topology_tag(p, all[i].partitions, tag);
            buf_append(&tags, tag, strlen(tag) + 1);
        }
        assert_true(XXH64(tags.data, tags.len, 0) == all[i].hash);
        buf_free(&tags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_is_the_clusters),
        cmocka_unit_test(test_hash_joins_portal_and_learner),
        cmocka_unit_test(test_tags_lie_in_the_middle_of_their_share),
        cmocka_unit_test(test_shards_hold_equally_many),
        cmocka_unit_test(test_tags_are_what_they_were),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
