/* What a comparison of Redis's epoch with what Kafka was told comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "publish/epochs.h"

#define OLD 1700000000000
#define ID 1790000000000
#define LATER 1800000000000

static const struct {
    const char *what;
    struct epoch_stored redis; /* id, taken, committed, replaced, lost */
    int64_t told_id;
    int64_t told_taken;
    enum outbox_state state;
    bool kafka_lost;
} rows[] = {
    {"nothing was ever published", {0}, 0, 0, PARTITION_WHOLE, false},
    {"taken from, and nothing is committed", {.id = ID, .taken = 3}, 0, 0, PARTITION_WHOLE, false},
    {"both know of the same", {.id = ID, .taken = 9, .committed = 9}, ID, 9, PARTITION_WHOLE, false},
    {"committed, and Redis was not told", {.id = ID, .taken = 9, .committed = 8}, ID, 9, PARTITION_WHOLE,
        false},
    {"taken, and not committed", {.id = ID, .taken = 12, .committed = 9}, ID, 9, PARTITION_WHOLE, false},

    {"topics made again", {.id = ID, .taken = 9, .committed = 9}, 0, 0, PARTITION_WHOLE, true},
    {"Kafka is behind by one", {.id = ID, .taken = 9, .committed = 9}, ID, 8, PARTITION_WHOLE, true},

    {"Redis is behind by one", {.id = ID, .taken = 8, .committed = 8}, ID, 9, PARTITION_ROLLED_BACK, false},
    {"an old backup", {.id = ID, .taken = 1}, ID, 9, PARTITION_ROLLED_BACK, false},
    {"empty", {0}, ID, 9, PARTITION_EMPTY, false},
    {"another Redis", {.id = LATER, .taken = 20, .committed = 20}, ID, 9, PARTITION_FOREIGN, false},
    {"another Redis, which is new", {.id = LATER, .taken = 1}, ID, 9, PARTITION_FOREIGN, false},
    {"a backup from before a rebuild", {.id = OLD, .taken = 99, .committed = 99}, ID, 9, PARTITION_FOREIGN,
        false},

    {"rebuilt, and Kafka is not told yet", {.id = ID, .taken = 2, .replaced = OLD}, OLD, 99, PARTITION_WHOLE,
        false},
    {"rebuilt, and Kafka is told", {.id = ID, .taken = 2, .replaced = OLD}, ID, 2, PARTITION_WHOLE, false},
    {"rebuilt, and Kafka forgot that it was told", {.id = ID, .taken = 2, .committed = 2, .replaced = OLD},
        OLD, 99, PARTITION_WHOLE, true},
    {"rebuilt, and the topics are made again", {.id = ID, .taken = 2, .replaced = OLD}, 0, 0, PARTITION_WHOLE,
        true},
    {"rebuilt, and rolled back to before that", {.id = OLD, .taken = 98, .committed = 98}, OLD, 99,
        PARTITION_ROLLED_BACK, false},

    {"what was found stands", {.id = ID, .taken = 9, .committed = 9, .lost = PARTITION_EMPTY}, ID, 9,
        PARTITION_EMPTY, false},
    {"also when all seems well", {.id = ID, .taken = 99, .committed = 9, .lost = PARTITION_ROLLED_BACK}, ID,
        9, PARTITION_ROLLED_BACK, false},
};

static void test_what_was_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool kafka_lost = false;
        enum outbox_state found =
            epochs_judge(&rows[i].redis, rows[i].told_id, rows[i].told_taken, &kafka_lost);
        if (found != rows[i].state || kafka_lost != rows[i].kafka_lost)
            print_error("%s\n", rows[i].what);
        assert_int_equal(found, rows[i].state);
        assert_int_equal(kafka_lost, rows[i].kafka_lost);
    }
}

/* What one partition says of Kafka is not taken back by the next. */
static void test_one_partition_is_enough_to_see_that_kafka_lost(void **state)
{
    const struct epoch_stored whole = {.id = ID, .taken = 9, .committed = 9};
    bool kafka_lost = true;
    (void)state;
    assert_int_equal(epochs_judge(&whole, ID, 9, &kafka_lost), PARTITION_WHOLE);
    assert_true(kafka_lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_lost),
        cmocka_unit_test(test_one_partition_is_enough_to_see_that_kafka_lost),
    };
    return cmocka_run_group_tests_name("epochs", tests, NULL, NULL);
}
