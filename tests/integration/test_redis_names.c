/*
 * Host names of Redis servers: several addresses of which some are dead, names that move to another server,
 * names that are looked up slowly or not at all. Against real redis-servers on several addresses of loopback;
 * which address a name has is said here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "cases.h"
#include "publish/lease.h"
#include "redis/resp.h"
#include "store_fixture.h"

enum { ADDRESSES_MAX = 3, NAMES_MAX = 4 };

static const int64_t base_s = 1675000800;

/* ---- the names ---- */

struct known_name {
    char name[32];
    char addresses[ADDRESSES_MAX][16]; /* "" ends them; none at all: it is not known */
    bool slow;                         /* its lookups end when it is not slow any more */
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_changed = PTHREAD_COND_INITIALIZER;
static struct known_name names[NAMES_MAX];
static atomic_int lookups;

int __real_getaddrinfo(
    const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(
    const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out);

int __wrap_getaddrinfo(
    const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo **end = out;
    int rc = -1;
    pthread_mutex_lock(&names_lock);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct known_name *name = &names[i];
        if (strcmp(name->name, host) != 0)
            continue;
        atomic_fetch_add(&lookups, 1);
        while (name->slow)
            pthread_cond_wait(&names_changed, &names_lock);
        rc = EAI_NONAME;
        for (size_t k = 0; k < ADDRESSES_MAX && name->addresses[k][0] != '\0'; k++) {
            rc = __real_getaddrinfo(name->addresses[k], port, hints, end);
            end = &(*end)->ai_next;
        }
        break;
    }
    pthread_mutex_unlock(&names_lock);
    return rc != -1 ? rc : __real_getaddrinfo(host, port, hints, out);
}

/* ADDRESSES by spaces. */
static void set_name(size_t i, const char *name, const char *addresses, bool slow)
{
    struct known_name known = {.slow = slow};
    snprintf(known.name, sizeof(known.name), "%s", name);
    (void)sscanf(addresses, "%15s %15s %15s", known.addresses[0], known.addresses[1], known.addresses[2]);
    pthread_mutex_lock(&names_lock);
    names[i] = known;
    pthread_cond_broadcast(&names_changed);
    pthread_mutex_unlock(&names_lock);
}

/* ---- the daemon ---- */

static int setup(void **state)
{
    memset(names, 0, sizeof(names));
    *state = fixture_new(1, (base_s + 7200) * 1000);
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        set_name(i, "", "", false); /* nobody waits any more */
    fixture_free(*state);
    return 0;
}

static struct redis_process *add_server_at(struct fixture *f, const char *host, const char *const *extra)
{
    struct redis_process *server = &f->nodes[f->n_nodes];
    if (f->n_nodes == 0) {
        redis_process_start(server, extra);
        assert_string_equal(host, server->endpoint.host);
    } else {
        redis_process_start_at(server, host, f->nodes[0].endpoint.port, extra);
    }
    f->n_nodes++;
    return server;
}

/* The daemon is configured with NAME at the servers' port. */
static struct redis_process named(const struct fixture *f, const char *name)
{
    struct redis_process asked = {.endpoint = f->nodes[0].endpoint};
    snprintf(asked.endpoint.host, sizeof(asked.endpoint.host), "%s", name);
    return asked;
}

static bool write_run(struct fixture *f, const char *learner)
{
    struct store_run run = fixture_run(learner, "l", base_s * 1000, 15000, 0, 15000);
    fixture_submit(f, &run, 1);
    return run.status == STORE_WRITTEN;
}

static bool holds(struct redis_process *server, const char *learner)
{
    redisReply *reply = redisCommand(server->client, "KEYS minuted:*:t:basic/%s", learner);
    bool found = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;
    freeReplyObject(reply);
    return found;
}

/* Until what is written arrives at SERVER: that may take as long as a player waits, and not longer. */
static void wait_until_written_to(struct fixture *f, struct redis_process *server)
{
    char learner[16];
    for (int i = 0; i < 100; i++) {
        snprintf(learner, sizeof(learner), "wait%d", i);
        if (write_run(f, learner) && holds(server, learner))
            return;
        fixture_turn(f, 50000);
    }
    fail_msg("nothing is written to %s:%d", server->endpoint.host, server->endpoint.port);
}

/* Whether the publisher's connections lead to SERVER, too. */
static bool leases_at(struct fixture *f, struct redis_process *server, const char *who)
{
    struct lease lease = {.outbox = f->outbox, .clock = &f->clock, .holder = who};
    for (int i = 0; i < 100; i++) {
        if (lease_confirm(&lease)) {
            redisReply *reply = redisCommand(server->client, "GET " KEY_PUBLISHER);
            bool there = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, who) == 0;
            freeReplyObject(reply);
            lease_release(&lease);
            return there;
        }
        fixture_turn(f, 50000);
    }
    return false;
}

/* ---- the tests ---- */

static void test_every_address_is_tried(void **state)
{
    struct fixture *f = *state;
    add_server_at(f, "127.0.0.1", NULL);
    set_name(0, "redis.example", "::1 127.0.0.3 127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    assert_true(write_run(f, "t"));
    assert_true(leases_at(f, &f->nodes[0], "me"));
}

/* One that takes connections and never answers is as dead as one that does not. */
static void test_an_address_that_hangs_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct redis_process *live = add_server_at(f, "127.0.0.1", NULL);
    struct redis_process *hung = add_server_at(f, "127.0.0.2", NULL);
    kill(hung->pid, SIGSTOP);
    set_name(0, "redis.example", "127.0.0.2 127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    char message[512];
    fixture_start(f, &asked, message);
    fixture_turn_until_admits(f, true);
    wait_until_written_to(f, live);
    kill(hung->pid, SIGCONT);
}

/* The old server is still there, answers, and would take what is meant for the new one. */
static void test_a_name_that_moves_is_followed(void **state)
{
    struct fixture *f = *state;
    struct redis_process *old = add_server_at(f, "127.0.0.1", NULL);
    struct redis_process *new = add_server_at(f, "127.0.0.2", NULL);
    set_name(0, "redis.example", "127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    assert_true(write_run(f, "before") && holds(old, "before"));
    assert_true(leases_at(f, old, "one"));
    set_name(0, "redis.example", "127.0.0.2", false);
    wait_until_written_to(f, new);
    assert_true(leases_at(f, new, "two"));
    for (int i = 0; i < 20; i++) {
        char learner[16];
        snprintf(learner, sizeof(learner), "after%d", i);
        assert_true(write_run(f, learner) && holds(new, learner) && !holds(old, learner));
    }
}

static void test_a_name_that_moves_from_a_dead_server_is_followed(void **state)
{
    struct fixture *f = *state;
    add_server_at(f, "127.0.0.1", NULL);
    struct redis_process *new = add_server_at(f, "127.0.0.2", NULL);
    set_name(0, "redis.example", "127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    kill(f->nodes[0].pid, SIGKILL);
    fixture_turn_until_admits(f, false);
    set_name(0, "redis.example", "127.0.0.2", false);
    fixture_turn_until_admits(f, true);
    wait_until_written_to(f, new);
}

/* A name of all servers leads to the one that is the primary, also to the next one. */
static void test_addresses_of_replicas_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct redis_process *primary = add_server_at(f, "127.0.0.1", NULL);
    int port = primary->endpoint.port;
    struct redis_process *next = add_server_at(f, "127.0.0.2", NULL);
    struct redis_process *replica = add_server_at(f, "127.0.0.3", NULL);
    redis_process_command(next, "REPLICAOF 127.0.0.1 %d", port);
    redis_process_command(replica, "REPLICAOF 127.0.0.1 %d", port);
    set_name(0, "redis.example", "127.0.0.3 127.0.0.2 127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    assert_true(write_run(f, "t") && holds(primary, "t"));
    assert_true(leases_at(f, primary, "one"));
    for (int i = 0; i < PATIENCE_MS / 5 && !holds(next, "t"); i++)
        fixture_turn(f, 5000);
    redis_process_command(next, "REPLICAOF NO ONE");
    redis_process_command(primary, "REPLICAOF 127.0.0.2 %d", port);
    wait_until_written_to(f, next);
    assert_true(holds(next, "t") && leases_at(f, next, "two"));
}

/* Of two addresses that both answer, the one in use stays in use, whatever their order is next time. */
static void test_an_order_that_changes_moves_nothing(void **state)
{
    struct fixture *f = *state;
    struct redis_process *first = add_server_at(f, "127.0.0.1", NULL);
    struct redis_process *other = add_server_at(f, "127.0.0.2", NULL);
    set_name(0, "redis.example", "127.0.0.1 127.0.0.2", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    set_name(0, "redis.example", "127.0.0.2 127.0.0.1", false);
    int before = atomic_load(&lookups);
    while (atomic_load(&lookups) < before + 3)
        fixture_wait_for_look(f);
    for (int i = 0; i < 10; i++) {
        char learner[16];
        snprintf(learner, sizeof(learner), "same%d", i);
        assert_true(write_run(f, learner) && holds(first, learner) && !holds(other, learner));
    }
}

static void test_a_name_that_is_no_longer_known_keeps_its_address(void **state)
{
    struct fixture *f = *state;
    add_server_at(f, "127.0.0.1", NULL);
    set_name(0, "redis.example", "127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    set_name(0, "redis.example", "", false);
    int before = atomic_load(&lookups);
    while (atomic_load(&lookups) < before + 3)
        fixture_wait_for_look(f);
    assert_true(store_admits(f->store));
    assert_true(write_run(f, "t"));
}

/* The looks go on, with what is known. */
static void test_a_slow_lookup_holds_up_nothing(void **state)
{
    struct fixture *f = *state;
    char message[512];
    add_server_at(f, "127.0.0.1", NULL);
    set_name(0, "redis.example", "127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    set_name(0, "redis.example", "127.0.0.1", true);
    for (int i = 0; i < 5; i++)
        fixture_wait_for_look(f);
    assert_int_equal(monitor_state(f->monitor, message), MONITOR_READY);
    assert_true(write_run(f, "t"));
}

static void test_a_daemon_ends_while_a_name_is_looked_up(void **state)
{
    struct fixture *f = *state;
    char message[512];
    add_server_at(f, "127.0.0.1", NULL);
    set_name(0, "redis.example", "127.0.0.1", true);
    struct redis_process asked = named(f, "redis.example");
    assert_int_equal(fixture_start(f, &asked, message), MONITOR_UNREACHABLE);
    assert_non_null(strstr(message, "redis.example"));
    monitor_stop(f->monitor);
    f->monitor = NULL;
    store_free(f->store);
    f->store = NULL;
    outbox_free(f->outbox);
    f->outbox = NULL;
}

/* Of several sentinels one has a name that cannot be looked up just now. */
static void test_sentinels_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    struct redis_process *primary = add_server_at(f, "127.0.0.1", NULL);
    struct redis_process *sentinel = &f->nodes[f->n_nodes++];
    redis_process_start_sentinel(sentinel, primary);
    set_name(0, "slow.example", "127.0.0.1", true);
    set_name(1, "sentinel.example", "127.0.0.3 127.0.0.1", false);
    struct endpoint two[2] = {sentinel->endpoint, sentinel->endpoint};
    strcpy(two[0].host, "slow.example");
    strcpy(two[1].host, "sentinel.example");
    f->config.redis.servers.items = two;
    f->config.redis.servers.n = 2;
    fixture_start_ready(f, sentinel);
    assert_true(write_run(f, "t"));
    monitor_stop(f->monitor); /* before its configuration goes */
    f->monitor = NULL;
}

/* Nodes announce host names; one moves to another address, as in a cloud. */
static void test_the_nodes_of_a_cluster_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    const char *const extra[] = {"--cluster-enabled", "yes", "--cluster-preferred-endpoint-type", "hostname",
        "--cluster-announce-hostname", "node.example", "--bind", "127.0.0.1 127.0.0.2", NULL};
    struct redis_process *node = add_server_at(f, "127.0.0.1", extra);
    redis_process_join_cluster(f->nodes, 1);
    set_name(0, "node.example", "127.0.0.3 127.0.0.1", false);
    fixture_start_ready(f, node);
    assert_true(write_run(f, "t"));
    struct topology *t = NULL;
    (void)monitor_follow(f->monitor, &t);
    assert_non_null(strstr(t->servers[0].name, "node.example"));
    topology_unref(t);
    set_name(0, "node.example", "127.0.0.2", false);
    uint64_t version = monitor_version(f->monitor);
    for (int i = 0; i < 100 && monitor_version(f->monitor) == version; i++)
        fixture_turn(f, 50000);
    assert_true(monitor_version(f->monitor) > version);
    fixture_turn_until_admits(f, true);
    wait_until_written_to(f, node);
}

/* A node that does not know its own name is the one that was asked. So is one that has met no other, which
 * knows no address of its own. */
static void check_asked_is_found(struct fixture *f, const char *endpoint_type)
{
    const char *const extra[] = {
        "--cluster-enabled", "yes", "--cluster-preferred-endpoint-type", endpoint_type, NULL};
    add_server_at(f, "127.0.0.1", extra);
    redis_process_join_cluster(f->nodes, 1);
    set_name(0, "redis.example", "127.0.0.1", false);
    struct redis_process asked = named(f, "redis.example");
    fixture_start_ready(f, &asked);
    assert_true(write_run(f, "t"));
}

static void test_a_node_without_a_name_is_the_one_that_was_asked(void **state)
{
    check_asked_is_found(*state, "unknown-endpoint");
}

static void test_a_node_that_has_met_no_other_is_the_one_that_was_asked(void **state)
{
    check_asked_is_found(*state, "ip");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_address_is_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_address_that_hangs_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_that_moves_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_name_that_moves_from_a_dead_server_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses_of_replicas_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_order_that_changes_moves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_name_that_is_no_longer_known_keeps_its_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_lookup_holds_up_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_daemon_ends_while_a_name_is_looked_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentinels_are_found_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_nodes_of_a_cluster_are_found_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_node_without_a_name_is_the_one_that_was_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_node_that_has_met_no_other_is_the_one_that_was_asked, setup, teardown),
    };
    return CASES_RUN(argc, argv, tests);
}
