/* What is made of a learner's records: merged masks, contested seconds, and sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "credit/mask.h"
#include "publish/recall.h"

enum { A, B, C };
enum { MINUTE = 27903120, KEPT = MINUTE };

static struct recall_summary sum_up(struct arena *arena, struct recall_mask *masks, size_t n)
{
    struct recall_learner l = {.masks = masks, .n_masks = n};
    return recall_sum_up(&l, KEPT, arena);
}

static const struct recall_sum *sum_of(const struct recall_summary *s, uint32_t lesson)
{
    for (size_t i = 0; i < s->n_sums; i++)
        if (s->sums[i].lesson == lesson)
            return &s->sums[i];
    fail_msg("no sum of lesson %u", lesson);
    return NULL;
}

static void masks_of_a_minute_are_merged(void **state)
{
    struct arena arena = {0};
    struct recall_mask masks[] = {{mask_range(0, 10), MINUTE + 1, A}, {mask_range(0, 5), MINUTE, A},
        {mask_range(5, 20), MINUTE + 1, A}, {mask_range(0, 10), MINUTE + 1, A}};
    (void)state;
    struct recall_summary s = sum_up(&arena, masks, 4);
    assert_int_equal(s.n_masks, 2);
    assert_int_equal(s.masks[0].minute, MINUTE);
    assert_int_equal(s.masks[0].mask, mask_range(0, 5));
    assert_int_equal(s.masks[1].mask, mask_range(0, 20));
    assert_int_equal(sum_of(&s, A)->seconds, 25);
    assert_int_equal(sum_of(&s, A)->before, 0);
    assert_int_equal(sum_of(&s, A)->last_minute, MINUTE + 1);
    arena_free(&arena);
}

static void the_first_record_has_a_contested_second(void **state)
{
    struct arena arena = {0};
    struct recall_mask masks[] = {{mask_range(0, 10), MINUTE, B}, {mask_range(5, 20), MINUTE, A},
        {mask_range(0, 30), MINUTE, B}, {mask_range(0, 30), MINUTE, C}};
    (void)state;
    struct recall_summary s = sum_up(&arena, masks, 4);
    assert_int_equal(s.n_masks, 3);
    for (size_t i = 0; i < s.n_masks; i++)
        assert_int_equal(s.masks[i].mask, s.masks[i].lesson == A   ? mask_range(10, 20)
                                          : s.masks[i].lesson == B ? mask_range(0, 10) | mask_range(20, 30)
                                                                   : 0);
    /* A total counts what its own records say, whoever else has it. */
    assert_int_equal(sum_of(&s, A)->seconds, 15);
    assert_int_equal(sum_of(&s, B)->seconds, 30);
    assert_int_equal(sum_of(&s, C)->seconds, 30);
    assert_int_equal(sum_of(&s, C)->last_minute, 0);
    arena_free(&arena);
}

static void what_is_before_is_summed_up(void **state)
{
    struct arena arena = {0};
    struct recall_mask masks[] = {{mask_range(0, 10), KEPT - 1, A}, {mask_range(0, 12), KEPT - 1, B},
        {mask_range(0, 7), KEPT - 20, A}, {mask_range(30, 60), KEPT, A}};
    (void)state;
    struct recall_summary s = sum_up(&arena, masks, 4);
    assert_int_equal(s.n_masks, 1);
    assert_int_equal(s.masks[0].minute, KEPT);
    assert_int_equal(sum_of(&s, A)->before, 17);
    assert_int_equal(sum_of(&s, A)->seconds, 47);
    assert_int_equal(sum_of(&s, B)->before, 2);
    assert_int_equal(sum_of(&s, B)->seconds, 12);
    arena_free(&arena);
}

static void totals_without_masks_are_there(void **state)
{
    struct arena arena = {0};
    struct recall_total total = {.epoch = 1, .lesson = C, .watched_seconds = 90};
    struct recall_learner l = {.totals = &total, .n_totals = 1};
    (void)state;
    struct recall_summary s = recall_sum_up(&l, KEPT, &arena);
    assert_int_equal(s.n_masks, 0);
    assert_ptr_equal(sum_of(&s, C)->total, &total);
    assert_int_equal(sum_of(&s, C)->seconds, 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_a_minute_are_merged),
        cmocka_unit_test(the_first_record_has_a_contested_second),
        cmocka_unit_test(what_is_before_is_summed_up),
        cmocka_unit_test(totals_without_masks_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
