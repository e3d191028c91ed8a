/*
 * What servers, sentinels and clusters say of themselves and of each other, in the words of Redis and of
 * Valkey, and which servers are found then. Each table's server answers one command after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "redis/discovery.h"

enum { ASKED_MAX = 3 };

/* A server's answers, NULL-terminated; nobody answers where there is none. */
struct canned {
    const char *answers[4];
    int fd;
    pthread_t thread;
};

static struct canned canned[ASKED_MAX];

static void *answer_all(void *ctx)
{
    const struct canned *c = ctx;
    char request[512];
    for (size_t i = 0; c->answers[i] != NULL; i++) {
        if (read(c->fd, request, sizeof(request)) <= 0)
            break;
        size_t len = strlen(c->answers[i]);
        if (write(c->fd, c->answers[i], len) != (ssize_t)len)
            break;
    }
    close(c->fd);
    return NULL;
}

redisContext *__wrap_client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX]);

/* The port says which of the servers it is. */
redisContext *__wrap_client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    struct canned *c = &canned[server->endpoint.port - 1];
    int ends[2];
    (void)resolver;
    if (c->answers[0] == NULL) {
        snprintf(error, CLIENT_ERROR_MAX, "nobody is there");
        return NULL;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    c->fd = ends[1];
    assert_int_equal(pthread_create(&c->thread, NULL, answer_all, c), 0);
    return redisConnectFd(ends[0]);
}

struct found {
    enum discovery result;
    struct topology *t;
    char error[512];
};

/* Asks N servers, `asked` on port 1 and following. */
static struct found find(size_t n, const char *primary)
{
    struct endpoint asked[ASKED_MAX];
    struct found found = {.t = topology_new()};
    struct config config = {.redis = {.partitions = 1, .primary = (char *)primary}};
    config.redis.servers = (struct endpoint_list){asked, n};
    for (size_t i = 0; i < n; i++) {
        asked[i] = (struct endpoint){.host = "asked", .port = (uint16_t)(i + 1)};
        canned[i].thread = 0;
    }
    found.result = discovery_find(&config, NULL, found.t, found.error);
    for (size_t i = 0; i < n; i++)
        if (canned[i].thread != 0)
            pthread_join(canned[i].thread, NULL);
    return found;
}

static void set_answers(size_t i, const char *info, const char *second)
{
    canned[i] = (struct canned){.answers = {info, second}};
}

static void assert_found(const struct found *found, const char *name)
{
    if (found->result != DISCOVERY_FOUND)
        fail_msg("%s is not found: %s", name, found->error);
    assert_int_equal(found->t->n_servers, 1);
    assert_string_equal(found->t->servers[0].name, name);
    assert_string_equal(found->error, "");
    topology_unref(found->t);
}

static void assert_told(const struct found *found, enum discovery result, const char *says)
{
    assert_int_equal(found->result, result);
    if (strstr(found->error, says) == NULL)
        fail_msg("'%s' is not told: %s", says, found->error);
    topology_unref(found->t);
}

#define INFO_CLUSTER "$20\r\nredis_mode:cluster\r\n\r\n"
#define INFO_SENTINEL "$21\r\nredis_mode:sentinel\r\n\r\n"

static void test_a_server_says_what_it_is(void **state)
{
    static const struct {
        const char *info;
        const char *says; /* NULL: it is found */
    } rows[] = {
        {"$23\r\nredis_mode:standalone\r\n\r\n", NULL},
        {"$24\r\nserver_mode:standalone\r\n\r\n", NULL},
        {"$46\r\nserver_name:valkey\r\nserver_mode:standalone\r\n\r\n\r\n", NULL},
        {"$20\r\nredis_mode:whatever\r\n", "does not say what it is"},
        {"$0\r\n\r\n", "does not say what it is"},
        {"-LOADING it loads\r\n", "LOADING"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_answers(0, rows[i].info, NULL);
        struct found found = find(1, NULL);
        if (rows[i].says == NULL)
            assert_found(&found, "asked:1");
        else
            assert_told(&found, DISCOVERY_UNREACHABLE, rows[i].says);
    }
}

/* Redis 7 has an id and other names behind a node's port, earlier ones the id at most. */
static void test_nodes_of_a_cluster_by_what_they_are_called(void **state)
{
#define SLOTS(node) "*1\r\n*3\r\n:0\r\n:16383\r\n" node
#define ID "$2\r\nid\r\n"
#define IP "*2\r\n$2\r\nip\r\n$8\r\n10.0.0.7\r\n"
    static const struct {
        const char *slots;
        const char *name; /* NULL: not found */
    } rows[] = {
        {SLOTS("*3\r\n$8\r\n10.0.0.7\r\n:7000\r\n" ID), "10.0.0.7:7000"},
        {SLOTS("*4\r\n$12\r\nnode.example\r\n:7000\r\n" ID IP), "node.example:7000"},
        {SLOTS("*4\r\n$-1\r\n:7000\r\n" ID "*0\r\n"), "asked:7000"}, /* unknown-endpoint */
        {SLOTS("*4\r\n$-1\r\n:7000\r\n" ID IP), "asked:7000"},
        {SLOTS("*3\r\n$0\r\n\r\n:7000\r\n" ID), "asked:7000"},        /* it has met nobody yet */
        {SLOTS("*4\r\n$1\r\n?\r\n:7000\r\n" ID IP), "10.0.0.7:7000"}, /* its host name is not known */
        {SLOTS("*4\r\n$1\r\n?\r\n:7000\r\n" ID "*0\r\n"), NULL},
        {SLOTS("*3\r\n$1\r\n?\r\n:7000\r\n" ID), NULL},
        {SLOTS("*4\r\n$1\r\n?\r\n:7000\r\n" ID "*2\r\n$2\r\nip\r\n$0\r\n\r\n"), NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int valkey = 0; valkey < 2; valkey++) {
            set_answers(0, valkey ? "$21\r\nserver_mode:cluster\r\n\r\n" : INFO_CLUSTER, rows[i].slots);
            struct found found = find(1, NULL);
            if (rows[i].name != NULL)
                assert_found(&found, rows[i].name);
            else
                assert_told(&found, DISCOVERY_UNREACHABLE, "cluster-announce-hostname");
        }
    }
}

#define PRIMARY(len, name, port)                                                                             \
    "*6\r\n$4\r\nname\r\n$" #len "\r\n" name "\r\n$2\r\nip\r\n$8\r\n10.0.0.7\r\n$4\r\nport\r\n$4\r\n" #port  \
    "\r\n"
#define ONE "*1\r\n" PRIMARY(8, "training", 7001)
#define TWO "*2\r\n" PRIMARY(4, "shop", 7000) PRIMARY(8, "training", 7001)

static void test_the_primary_that_is_meant(void **state)
{
    static const struct {
        const char *masters;
        const char *primary;
        enum discovery result;
        const char *says;
    } rows[] = {
        {ONE, NULL, DISCOVERY_FOUND, NULL},
        {ONE, "training", DISCOVERY_FOUND, NULL},
        {TWO, "training", DISCOVERY_FOUND, NULL},
        {TWO, NULL, DISCOVERY_WRONG,
            "is a sentinel of 2 primaries: redis.primary must name one of shop, training"},
        {TWO, "train", DISCOVERY_ELSEWHERE, "of no primary train (redis.primary), but of shop, training"},
        {ONE, "shop", DISCOVERY_ELSEWHERE, "of no primary shop (redis.primary), but of training"},
        {"*0\r\n", NULL, DISCOVERY_UNREACHABLE, "watches no primary"},
        {"*0\r\n", "training", DISCOVERY_UNREACHABLE, "watches no primary"},
        {"-NOPERM no\r\n", "training", DISCOVERY_UNREACHABLE, "NOPERM"},
        {"*1\r\n:1\r\n", "training", DISCOVERY_ELSEWHERE, "of no primary training"},
        {"*1\r\n:1\r\n", NULL, DISCOVERY_UNREACHABLE, "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_answers(0, INFO_SENTINEL, rows[i].masters);
        struct found found = find(1, rows[i].primary);
        if (rows[i].result == DISCOVERY_FOUND)
            assert_found(&found, "10.0.0.7:7001");
        else
            assert_told(&found, rows[i].result, rows[i].says);
    }
}

/* One sentinel was not told of the primary; others were, or are away. */
static void test_other_sentinels_are_asked_for_it(void **state)
{
    (void)state;
    set_answers(0, INFO_SENTINEL, "*1\r\n" PRIMARY(4, "shop", 7000));
    set_answers(1, INFO_SENTINEL, TWO);
    struct found found = find(2, "training");
    assert_found(&found, "10.0.0.7:7001");
    set_answers(0, INFO_SENTINEL, "*1\r\n" PRIMARY(4, "shop", 7000));
    set_answers(1, NULL, NULL);
    found = find(2, "training");
    assert_told(&found, DISCOVERY_ELSEWHERE, "asked:1: is a sentinel of no primary training");
}

static void test_long_lists_are_cut(void **state)
{
    struct buf masters = {0};
    (void)state;
    buf_append_string(&masters, "*60\r\n");
    for (int i = 0; i < 60; i++)
        buf_append_string(&masters, PRIMARY(8, "training", 7001));
    buf_append_char(&masters, '\0');
    set_answers(0, INFO_SENTINEL, masters.data);
    struct found found = find(1, "other");
    assert_told(&found, DISCOVERY_ELSEWHERE, "training, training and 4");
    buf_free(&masters);
}

static void test_only_sentinels_are_asked_for_a_primary(void **state)
{
    (void)state;
    set_answers(0, "$23\r\nredis_mode:standalone\r\n\r\n", NULL);
    struct found found = find(1, "training");
    assert_told(&found, DISCOVERY_WRONG, "is no sentinel, but redis.primary is given");
    set_answers(0, INFO_CLUSTER, NULL);
    found = find(1, "training");
    assert_told(&found, DISCOVERY_WRONG, "is no sentinel, but redis.primary is given");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_says_what_it_is),
        cmocka_unit_test(test_nodes_of_a_cluster_by_what_they_are_called),
        cmocka_unit_test(test_the_primary_that_is_meant),
        cmocka_unit_test(test_other_sentinels_are_asked_for_it),
        cmocka_unit_test(test_long_lists_are_cut),
        cmocka_unit_test(test_only_sentinels_are_asked_for_a_primary),
    };
    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
