/* What is different between two topologies, and which clocks agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "redis/topology.h"

static struct topology *two_servers(void)
{
    struct topology *t = topology_new();
    t->n_servers = 2;
    for (size_t i = 0; i < t->n_servers; i++) {
        snprintf(t->servers[i].name, sizeof(t->servers[i].name), "server%zu:6379", i);
        t->servers[i].address.len = sizeof(struct sockaddr_in);
        t->servers[i].address.addr.ss_family = AF_INET;
        t->servers[i].usable = true;
    }
    return t;
}

static void change_nothing(struct topology *t)
{
    t->version++;
}

static void change_usability(struct topology *t)
{
    t->servers[1].usable = false;
}

static void change_ended(struct topology *t)
{
    snprintf(t->ended, sizeof(t->ended), "spring");
}

static void change_slots(struct topology *t)
{
    change_usability(t);
    t->server_of_slot[CLUSTER_SLOTS - 1] = 1;
}

static void change_partitions(struct topology *t)
{
    change_slots(t);
    t->server_of[PARTITIONS_MAX - 1] = 1;
}

static void change_address(struct topology *t)
{
    change_partitions(t);
    ((struct sockaddr_in *)&t->servers[1].address.addr)->sin_addr.s_addr = 7;
}

static void change_name(struct topology *t)
{
    change_address(t);
    t->servers[1].name[0] = 'S';
}

static void change_number(struct topology *t)
{
    t->n_servers = 1;
}

static void test_the_greatest_difference_is_told(void **state)
{
    static const struct {
        void (*change)(struct topology *t);
        enum topology_change told;
    } rows[] = {
        {change_nothing, TOPOLOGY_SAME},
        {change_usability, TOPOLOGY_USABILITY},
        {change_ended, TOPOLOGY_USABILITY},
        {change_slots, TOPOLOGY_SLOTS},
        {change_partitions, TOPOLOGY_PARTITIONS},
        {change_address, TOPOLOGY_ADDRESSES},
        {change_name, TOPOLOGY_SERVERS},
        {change_number, TOPOLOGY_SERVERS},
    };
    (void)state;
    struct topology *before = two_servers();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct topology *after = topology_copy(before);
        rows[i].change(after);
        assert_int_equal(topology_compare(before, after), rows[i].told);
        assert_int_equal(topology_compare(after, before), rows[i].told);
        topology_unref(after);
    }
    topology_unref(before);
}

static void test_servers_are_found(void **state)
{
    (void)state;
    struct topology *t = two_servers();
    assert_int_equal(topology_find_server(t, "server1:6379"), 1);
    assert_int_equal(topology_find_server(t, "server2:6379"), -1);
    t->server_of[5] = 1;
    assert_int_equal(topology_server_of_partition(t, 5), 1);
    assert_int_equal(topology_server_of_key(t, "foo"), 0);
    t->server_of_slot[topology_slot_of(SLICE_LITERAL("foo"))] = 1;
    assert_int_equal(topology_server_of_key(t, "foo"), 1);
    t->server_of_slot[topology_slot_of(SLICE_LITERAL("foo"))] = -1; /* nobody's: whoever is first says so */
    assert_int_equal(topology_server_of_key(t, "foo"), 0);
    topology_unref(t);
}

static void test_programs_that_have_ended(void **state)
{
    static const struct {
        const char *list;
        const char *program;
        bool ended;
    } rows[] = {
        {"", "spring", false},
        {"", "", false},
        {"spring", "spring", true},
        {"spring", "sprin", false},
        {"spring", "springs", false},
        {"spring winter", "winter", true},
        {"spring winter autumn", "winter", true},
        {"spring winter", "spring winter", false},
        {"spring winter", "", false},
    };
    (void)state;
    struct topology *t = two_servers();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(t->ended, sizeof(t->ended), "%s", rows[i].list);
        assert_int_equal(topology_has_ended(t, slice_of(rows[i].program)), rows[i].ended);
    }
    topology_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_greatest_difference_is_told),
        cmocka_unit_test(test_servers_are_found),
        cmocka_unit_test(test_programs_that_have_ended),
    };
    return cmocka_run_group_tests_name("topology change", tests, NULL, NULL);
}
