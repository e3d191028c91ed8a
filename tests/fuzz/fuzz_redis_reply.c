/*
 * Any bytes as what a Redis server sends: to the publisher's calls and to the monitor's look at a server.
 * Each ends in a failure or in values that can be used; what take gives can be settled.
 *
 *     [which call] the server's bytes, until it hangs up
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "budget.h"
#include "config/config.h"
#include "config/config_load.h"
#include "credit/mask.h"
#include "publish/destination.h"
#include "publish/lease.h"
#include "publish/outbox_minutes.h"
#include "publish/outbox_retire.h"
#include "publish/outbox_sums.h"
#include "redis/barrier.h"
#include "redis/check.h"
#include "redis/discovery.h"
#include "redis/history.h"
#include "redis/libraries.h"
#include "store/functions.h"
#include "take_with_totals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTITIONS = 2, NOW_S = 1673000000 };

/* hiredis takes 48 bytes and more for an element of four, and first of all an array's announced length. */
static const struct budget budget = {16 * 1024 * 1024, 128, 500000, 2000};

/* ---- the monitor knows one server and never another; the clock stands ---- */

int64_t __wrap_clock_system_ms(void);
int64_t __wrap_clock_monotonic_us(void);
bool __wrap_client_take_fence(redisContext *redis, uint64_t number, char error[static CLIENT_ERROR_MAX]);
bool __wrap_reply_unread(const redisContext *redis);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
redisContext *__wrap_client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX]);

static enum topology_change follow(void *ctx, struct topology **current)
{
    (void)ctx;
    (void)current;
    return TOPOLOGY_SAME;
}

static void look(void *ctx)
{
    (void)ctx;
}

static size_t get_servers(void *ctx, struct redis_condition out[static SERVERS_MAX])
{
    (void)ctx;
    *out = (struct redis_condition){.used_memory = 90, .max_memory = 100};
    return 1;
}

static const struct clock no_clock;
static const struct outbox_monitor monitor = {NULL, follow, look, get_servers};

int64_t __wrap_clock_system_ms(void)
{
    return NOW_S * INT64_C(1000);
}

/* The number of the monitor's fences, so that an input can hold it. */
int64_t __wrap_clock_monotonic_us(void)
{
    return 1;
}

/* Of the publisher's no input can know the number: what stands before them is looked at all the same. */
bool __wrap_client_take_fence(redisContext *redis, uint64_t number, char error[static CLIENT_ERROR_MAX])
{
    (void)redis;
    (void)number;
    error[0] = '\0';
    return true;
}

/* All replies are there before the first question is asked. */
bool __wrap_reply_unread(const redisContext *redis)
{
    (void)redis;
    return false;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
    (void)fd;
    (void)bytes;
    (void)len;
    (void)flags;
    return -1;
}

/* The server that is asked where the others are is the input's, too. */
redisContext *__wrap_client_find(
    struct resolver *resolver, struct redis_server *server, char error[static CLIENT_ERROR_MAX])
{
    redisContext *redis = (redisContext *)(void *)resolver;
    (void)server;
    error[0] = '\0';
    return redis;
}

/* ---- a server that sends what the input says ---- */

/* Made once but for the outbox. */
struct scene {
    struct config *config;
    struct log *log;
    struct outbox *outbox;
    int server; /* its end of the connection */
};

static redisContext *connect_to(int *server, struct slice bytes)
{
    int ends[2];
    int rc = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    assert(rc == 0 && send(ends[1], bytes.ptr, bytes.len, MSG_DONTWAIT) == (ssize_t)bytes.len);
    shutdown(ends[1], SHUT_WR);
    *server = ends[1];
    redisContext *redis = redisConnectFd(ends[0]);
    assert(redis != NULL && redis->err == 0);
    return redis;
}

static struct topology *one_server(void)
{
    struct topology *t = topology_new();
    struct sockaddr_un *un = (struct sockaddr_un *)&t->servers[0].address.addr;
    t->version = 1;
    t->n_servers = 1;
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, "/nowhere/redis.sock"); /* a broken connection is not made anew */
    t->servers[0].address.len = sizeof(*un);
    strcpy(t->servers[0].name, "unix:/nowhere/redis.sock");
    t->servers[0].usable = true;
    return t;
}

static struct config *config_new(bool with_replicas)
{
    const struct config_override overrides[] = {{"redis.partitions", "2"},
        {"redis.durability", with_replicas ? "replicas:1" : "fsync"}, {"redis.early_retire", "6h"}};
    char *error;
    struct config *config = config_load(NULL, NULL, overrides, 3, true, &error);
    assert(config != NULL && config->redis.partitions == PARTITIONS);
    return config;
}

/* ---- the calls ---- */

typedef void call(struct scene *s, struct arena *arena);

static void call_minutes(struct scene *s, struct arena *arena)
{
    struct outbox_minutes minutes;
    int64_t oldest = INT64_MAX;
    if (!outbox_minutes(s->outbox, 1, arena, &minutes, &oldest))
        return;
    for (size_t i = 0; i < minutes.n; i++)
        oldest = minutes.minutes[i] < oldest ? minutes.minutes[i] : oldest;
}

static void call_take(struct scene *s, struct arena *arena)
{
    struct outbox_portion taken = {.partition = 1, .minute = NOW_S / 60};
    struct outbox_totals totals;
    if (!take_with_totals(s->outbox, &taken, 1, arena, &totals))
        return;
    for (size_t i = 0; i < taken.n_learners; i++) {
        assert(memchr(taken.learners[i].portal.ptr, '/', taken.learners[i].portal.len) == NULL);
        for (size_t k = 0; k < taken.learners[i].n_masks; k++)
            assert((taken.learners[i].masks[k].mask & ~MASK_FULL) == 0 &&
                   taken.learners[i].masks[k].total != NULL);
    }
    for (size_t i = 0; i < totals.n; i++)
        assert(totals.items[i].total->epoch > 0 && totals.items[i].total->course.len > 0);
    bool settled = outbox_settle(s->outbox, &taken, 1);
    (void)settled;
}

static void call_sums(struct scene *s, struct arena *arena)
{
    struct outbox_sums sums;
    if (!outbox_sums(s->outbox, NOW_S / 60, arena, &sums))
        return;
    for (size_t i = 0; i < sums.n; i++)
        assert(sums.sums[i].watched_seconds > sums.sums[i].published_seconds && sums.sums[i].learners >= 0);
    bool settled = outbox_settle_sums(s->outbox, &sums);
    (void)settled;
}

static void call_grown(struct scene *s, struct arena *arena)
{
    struct outbox_minutes minutes;
    if (!outbox_grown(s->outbox, 0, arena, &minutes))
        return;
    for (size_t i = 1; i < minutes.n; i++)
        assert(minutes.minutes[i - 1] >= minutes.minutes[i]);
}

static void call_lease(struct scene *s, struct arena *arena)
{
    struct lease lease = {.outbox = s->outbox, .clock = &no_clock, .holder = "me"};
    (void)arena;
    bool held = lease_confirm(&lease);
    assert(memchr(lease.owner, '\0', sizeof(lease.owner)) != NULL);
    assert(held == lease.held && held == (strcmp(lease.owner, "me") == 0));
}

static void call_watermark(struct scene *s, struct arena *arena)
{
    struct watermark w = {.published_through = 1, .final_through = 2};
    (void)arena;
    if (!publish_raise_watermark(s->outbox, &w))
        assert(w.published_through == 1 && w.final_through == 2);
}

static void call_retire(struct scene *s, struct arena *arena)
{
    int64_t first_claimable = -1;
    (void)arena;
    struct retire_terms terms = {.now_ms = NOW_S * INT64_C(1000), .max = RETIRE_MAX, .settled = true};
    bool good = outbox_retire(s->outbox, &terms, &first_claimable);
    (void)good;
}

static void call_destination(struct scene *s, struct arena *arena)
{
    char why[DESTINATION_WHY_MAX] = "";
    struct destination ours = {"minuted", "cluster-1"};
    (void)arena;
    enum destination_look look = destination_compare(s->outbox, &ours, true, why);
    assert((look == DESTINATION_ANOTHER) == (why[0] != '\0') && strlen(why) < sizeof(why));
}

static void call_check(struct scene *s, struct arena *arena)
{
    struct redis_condition seen = {0};
    int64_t permitted_ms = 0;
    (void)arena;
    struct clock clock = {0};
    struct check_context check = {s->config, "training", &functions_library, &clock, s->log};
    enum check_result result = check_server(&check, s->outbox->links[0].redis, true, &permitted_ms, &seen);
    assert(memchr(seen.problem, '\0', sizeof(seen.problem)) != NULL);
    assert(result == CHECK_GOOD || seen.problem[0] != '\0');
    if (result != CHECK_GOOD)
        return;
    assert(seen.reached && seen.max_memory >= 0 && seen.used_memory >= 0);
    struct libraries libraries = {.due_ms = 0};
    libraries_look(&libraries, &functions_library, &s->outbox->links[0].redis, 1, 0, s->log);
}

/* discovery_find() frees the connection. */
static void look_for_servers(struct scene *s, enum redis_mode mode)
{
    struct topology *t = one_server();
    struct endpoint asked = {.host = "asked", .port = 6379};
    struct config config = *s->config;
    char error[512] = "";
    config.redis.mode = mode;
    config.redis.servers = (struct endpoint_list){&asked, 1};
    enum discovery found =
        discovery_find(&config, (struct resolver *)(void *)s->outbox->links[0].redis, t, error);
    s->outbox->links[0].redis = NULL;
    assert(found == DISCOVERY_FOUND || error[0] != '\0');
    assert(t->n_servers <= SERVERS_MAX);
    for (int p = 0; found == DISCOVERY_FOUND && p < PARTITIONS; p++)
        assert(t->server_of[p] >= 0 && (size_t)t->server_of[p] < t->n_servers);
    for (size_t i = 0; found == DISCOVERY_FOUND && i < t->n_servers; i++)
        assert(t->servers[i].endpoint.host[0] != '\0' && t->servers[i].endpoint.port != 0);
    topology_unref(t);
}

static void call_cluster(struct scene *s, struct arena *arena)
{
    (void)arena;
    look_for_servers(s, REDIS_CLUSTER);
}

static void call_sentinel(struct scene *s, struct arena *arena)
{
    (void)arena;
    look_for_servers(s, REDIS_SENTINEL);
}

static void call_auto(struct scene *s, struct arena *arena)
{
    (void)arena;
    look_for_servers(s, REDIS_AUTO);
}

static void call_history(struct scene *s, struct arena *arena)
{
    struct history history = {0};
    struct redis_condition seen = {0};
    (void)arena;
    for (int i = 0; i < 2; i++) {
        bool good = history_look(
            &history, s->outbox->links[0].redis, s->outbox->topology, 0, PARTITIONS, s->log, &seen);
        assert(good || seen.problem[0] != '\0');
    }
}

static void run(struct scene *s, call *function, struct slice bytes)
{
    struct arena arena = {0};
    s->outbox = outbox_new_with(s->config, &monitor, &no_clock, s->log);
    s->outbox->topology = one_server();
    s->outbox->topology->servers[0].barrier = barrier_of(s->config, false);
    s->outbox->links[0].redis = connect_to(&s->server, bytes);
    function(s, &arena);
    arena_free(&arena);
    outbox_free(s->outbox);
    close(s->server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static call *const calls[] = {call_minutes, call_take, call_sums, call_grown, call_lease, call_watermark,
        call_retire, call_check, call_cluster, call_sentinel, call_auto, call_history, call_destination};
    enum { N_CALLS = sizeof(calls) / sizeof(calls[0]) };
    static struct scene scenes[2]; /* with and without replicas */
    struct slice bytes = {(const char *)data + 1, size - 1};
    if (size == 0)
        return 0;
    for (size_t i = 0; i < 2 && scenes[i].config == NULL; i++)
        scenes[i] = (struct scene){.config = config_new(i == 1), .log = log_new(LOG_ERROR)};
    budget_begin();
    run(&scenes[data[0] / 128], calls[data[0] % 16 % N_CALLS], bytes);
    budget_end(&budget, size);
    return 0;
}
