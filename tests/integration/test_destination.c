/* Where a deployment publishes, as its settings have it in a real Redis: what is compared, and what is stored
 * when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "cases.h"
#include "publish/destination.h"
#include "redis/resp.h"
#include "store_fixture.h"

#define LONGEST                                                                                              \
    "0123456789012345678901234567890123456789012345678901234567890123" /* an id's 64 characters              \
                                                                        */

static int setup(void **state)
{
    struct fixture *f = fixture_new(2, INT64_C(1675000800000));
    *state = f;
    fixture_start_ready(f, fixture_add_node(f, NULL));
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* The value of FIELD; "" when there is none. */
static const char *stored(struct fixture *f, const char *field)
{
    static char text[128];
    redisReply *reply = redisCommand(f->nodes[0].client, "HGET " KEY_SETTINGS " %s", field);
    snprintf(text, sizeof(text), "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

static void test_each_row(void **state)
{
    static const struct {
        const char *prefix, *cluster; /* stored; "": not */
        struct destination ours;
        bool claim;
        enum destination_look look;
        const char *prefix_after, *cluster_after;
        const char *why;
    } rows[] = {
        {"", "", {"p", "c"}, false, DESTINATION_OURS, "", "", ""},
        {"", "", {"p", "c"}, true, DESTINATION_OURS, "p", "c", ""},
        {"", "", {"p", ""}, true, DESTINATION_OURS, "p", "", ""},
        {"p", "", {"p", "c"}, true, DESTINATION_OURS, "p", "c", ""},
        {"p", "c", {"p", "c"}, true, DESTINATION_OURS, "p", "c", ""},
        {"p", "c", {"p", "c"}, false, DESTINATION_OURS, "p", "c", ""},
        {"p", "c", {"p", ""}, true, DESTINATION_OURS, "p", "c", ""},
        {"p", "c", {"q", "c"}, true, DESTINATION_ANOTHER, "p", "c",
            "the deployment publishes with kafka.topic_prefix = p, this daemon is configured with q: restart "
            "it "
            "with that one"},
        {"p", "", {"pp", "d"}, true, DESTINATION_ANOTHER, "p", "", "kafka.topic_prefix = p, "},
        {"p", "c", {"p", "d"}, true, DESTINATION_ANOTHER, "p", "c",
            "the deployment publishes to kafka_cluster = c, this daemon's kafka.brokers lead to d: restart "
            "it "
            "with that one"},
        {"p", "c", {"p", "C"}, false, DESTINATION_ANOTHER, "p", "c", "lead to C:"},
        {LONGEST, "c", {LONGEST "x", "c"}, false, DESTINATION_ANOTHER, LONGEST, "c",
            "restart it with that one, or see --to-new-kafka"},
        {"p", LONGEST "x", {"p", LONGEST "y"}, false, DESTINATION_ANOTHER, "p", LONGEST "x",
            "restart it with that one, or see --to-new-kafka"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char why[DESTINATION_WHY_MAX] = "";
        redis_process_command(&f->nodes[0], "HDEL " KEY_SETTINGS " topic_prefix kafka_cluster");
        if (rows[i].prefix[0] != '\0')
            redis_process_command(&f->nodes[0], "HSET " KEY_SETTINGS " topic_prefix %s", rows[i].prefix);
        if (rows[i].cluster[0] != '\0')
            redis_process_command(&f->nodes[0], "HSET " KEY_SETTINGS " kafka_cluster %s", rows[i].cluster);
        enum destination_look look = DESTINATION_UNKNOWN;
        assert_in_time(f, (look = destination_compare(f->outbox, &rows[i].ours, rows[i].claim, why)) !=
                              DESTINATION_UNKNOWN);
        if (look != rows[i].look || strstr(why, rows[i].why) == NULL)
            fail_msg("row %zu: %d \"%s\"", i, (int)look, why);
        assert_string_equal(stored(f, "topic_prefix"), rows[i].prefix_after);
        assert_string_equal(stored(f, "kafka_cluster"), rows[i].cluster_after);
    }
}

static void test_no_answer_is_no_agreement(void **state)
{
    struct fixture *f = *state;
    char why[DESTINATION_WHY_MAX];
    struct destination ours = {"p", "c"};
    redis_process_command(&f->nodes[0], "DEL " KEY_SETTINGS);
    redis_process_command(&f->nodes[0], "SET " KEY_SETTINGS " spoiled");
    assert_int_equal(destination_compare(f->outbox, &ours, false, why), DESTINATION_UNKNOWN);
    kill(f->nodes[0].pid, SIGKILL);
    assert_int_equal(destination_compare(f->outbox, &ours, true, why), DESTINATION_UNKNOWN);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_answer_is_no_agreement, setup, teardown),
    };
    return CASES_RUN(argc, argv, tests);
}
