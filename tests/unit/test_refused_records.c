/* Which records are set aside, for how long, and what the time of one tells of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "publish/refused_records.h"

enum { MINUTE = 60000, NOW = 5000 };

#define KIND RECORD_LEARNER_MINUTE

static bool has(
    const struct refused_records *r, enum record_kind kind, const char *key, int64_t minute, int64_t now_ms)
{
    struct record record = {.kind = kind, .key = slice_of(key), .time_ms = minute * MINUTE};
    return refused_records_has(r, &record, now_ms);
}

static bool add(struct refused_records *r, const char *key, int64_t minute, bool for_its_time)
{
    return refused_records_add(r, KIND, slice_of(key), minute * MINUTE, for_its_time, NOW);
}

static struct refused_records *that_took(int64_t from_minute, int64_t to_minute)
{
    struct refused_records *r = refused_records_new();
    refused_records_note_taken(r, KIND, from_minute * MINUTE);
    refused_records_note_taken(r, KIND, to_minute * MINUTE);
    return r;
}

static void a_key_is_set_aside_for_a_while(void **state)
{
    struct refused_records *r = that_took(1, 9);
    (void)state;
    assert_true(add(r, "a", 5, false));
    assert_true(has(r, KIND, "a", 5, NOW));
    assert_true(has(r, KIND, "a", 6, NOW + REFUSED_RECORDS_MS - 1)); /* a total's time goes on */
    assert_false(has(r, KIND, "a", 5, NOW + REFUSED_RECORDS_MS));
    assert_false(has(r, KIND, "b", 5, NOW));
    assert_false(has(r, RECORD_LESSON_MINUTE, "a", 5, NOW));
    assert_int_equal(refused_records_expire(r, NOW + REFUSED_RECORDS_MS - 1), 1);
    assert_int_equal(refused_records_expire(r, NOW + REFUSED_RECORDS_MS), 0);
    assert_false(refused_records_any(r));
    refused_records_free(r);
}

/* TOOK tells the minutes between which the topic has taken records since the connecting, 0: none. */
static void what_the_time_of_one_tells_of_others(void **state)
{
    static const struct {
        int64_t took[2];
        int64_t refused, other;
        bool for_its_time, refused_too;
    } rows[] = {
        {{10, 20}, 8, 8, true, true},
        {{10, 20}, 8, 7, true, true},
        {{10, 20}, 8, 9, true, false},
        {{10, 20}, 8, 21, true, false},
        {{10, 20}, 8, 7, false, false}, /* for its size */
        {{10, 20}, 22, 22, true, true},
        {{10, 20}, 22, 23, true, true},
        {{10, 20}, 22, 21, true, false},
        {{10, 20}, 22, 9, true, false},
        {{10, 20}, 15, 15, true, false}, /* between those that were taken */
        {{10, 20}, 15, 9, true, false},
        {{10, 20}, 10, 9, true, false},
        {{10, 20}, 20, 21, true, false},
        {{0, 0}, 8, 7, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct refused_records *r = that_took(1, 30);
        refused_records_begin(r);
        for (size_t k = 0; k < 2 && rows[i].took[k] != 0; k++)
            refused_records_note_taken(r, KIND, rows[i].took[k] * MINUTE);
        assert_true(add(r, "a", rows[i].refused, rows[i].for_its_time));
        assert_int_equal(has(r, KIND, "other", rows[i].other, NOW), rows[i].refused_too);
        assert_false(has(r, KIND, "other", rows[i].other, NOW + REFUSED_RECORDS_MS));
        assert_true(has(r, KIND, "a", 15, NOW));
        refused_records_free(r);
    }
}

static void what_is_taken_all_the_same_was_no_bound(void **state)
{
    struct refused_records *r = that_took(10, 20);
    (void)state;
    assert_true(add(r, "a", 8, true));
    refused_records_note_taken(r, KIND, 7 * MINUTE);
    assert_false(has(r, KIND, "other", 7, NOW));
    assert_true(has(r, KIND, "a", 8, NOW));
    refused_records_free(r);
}

static void there_is_room_for_so_many(void **state)
{
    struct refused_records *r = that_took(10, 20);
    char key[16];
    (void)state;
    for (int i = 0; i < REFUSED_RECORDS_MAX; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_true(add(r, key, 15, false));
    }
    assert_false(add(r, "one more", 15, false));
    assert_true(add(r, "0", 15, false));
    assert_true(add(r, "too old", 5, true)); /* which its time alone tells */
    assert_true(has(r, KIND, "too old", 5, NOW));
    assert_int_equal(refused_records_expire(r, NOW), REFUSED_RECORDS_MAX);
    refused_records_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_set_aside_for_a_while),
        cmocka_unit_test(what_the_time_of_one_tells_of_others),
        cmocka_unit_test(what_is_taken_all_the_same_was_no_bound),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests_name("refused_records", tests, NULL, NULL);
}
