/* The heap of those who try again, against a list that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/dice.h"
#include "load/retries.h"

enum { MANY = 500 };

static void test_none(void **state)
{
    (void)state;
    struct retries r = {0};
    assert_int_equal(retries_due_us(&r), INT64_MAX);
    retries_add(&r, (struct retry){7, 7, 1});
    assert_int_equal(retries_due_us(&r), 7);
    assert_int_equal(retries_take(&r).player, 1);
    assert_int_equal(retries_due_us(&r), INT64_MAX);
    retries_free(&r);
}

struct model {
    struct retry items[MANY];
    size_t n;
};

static int64_t earliest_us(const struct model *m)
{
    int64_t due_us = INT64_MAX;
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].due_us < due_us)
            due_us = m->items[i].due_us;
    return due_us;
}

/* Removes PLAYER, who must be there and due at DUE_US. */
static void remove_player(struct model *m, uint32_t player, int64_t due_us)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].player != player)
            continue;
        assert_int_equal(m->items[i].due_us, due_us);
        m->items[i] = m->items[--m->n];
        return;
    }
    fail_msg("player %u is not there", player);
}

/* Equal times among them, since two may be told to come back at the same moment. */
static void test_the_earliest_is_taken_first(void **state)
{
    (void)state;
    struct dice dice = dice_of(11);
    struct retries r = {0};
    struct model m = {.n = 0};
    uint32_t next_player = 0;
    for (int step = 0; step < 20000; step++) {
        bool filling = step / 1000 % 2 == 0;
        if (m.n < MANY && (m.n == 0 || dice_below(&dice, 10) < (filling ? 7 : 3))) {
            struct retry item = {.due_us = (int64_t)dice_below(&dice, 200), .player = next_player++};
            m.items[m.n++] = item;
            retries_add(&r, (struct retry){item.due_us, item.due_us, item.player});
        } else {
            int64_t due_us = earliest_us(&m);
            assert_int_equal(retries_due_us(&r), due_us);
            remove_player(&m, retries_take(&r).player, due_us);
        }
        assert_int_equal(r.n, m.n);
        assert_int_equal(retries_due_us(&r), earliest_us(&m));
    }
    retries_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_the_earliest_is_taken_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
