/* redis-server processes of a test. */
#include "redis_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"

enum { ARGS_MAX = 48, PORTS_TRIED_MAX = 1000, PAUSE_MS = 10, TRIES = PATIENCE_MS / PAUSE_MS };

/* What is started as redis-server: MINUTED_REDIS_SERVER, where another release or a relative is tested. */
static const char *server_program(void)
{
    const char *program = getenv("MINUTED_REDIS_SERVER");
    return program != NULL ? program : "redis-server";
}

static void pause_a_little(void)
{
    /* sleeps: whoever calls this looks again and again */
    nanosleep(&(struct timespec){0, PAUSE_MS * 1000000}, NULL);
}

static bool port_is_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool bound = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return bound;
}

/*
 * Whether this process may use the port from now on, as long as it lives: some time passes before a server
 * listens there. Byte N of a file is locked by the test program whose port is N; tests/harness/service.py
 * does the same.
 */
static bool claim_port(int port)
{
    static int fd = -1;
    char path[64];
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = port, .l_len = 1};
    snprintf(path, sizeof(path), "/tmp/minuted-test-ports-%d", (int)getuid());
    if (fd < 0)
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fcntl(fd, F_SETLK, &byte) == 0;
}

static bool take_port(int port)
{
    return claim_port(port) && port_is_free(port);
}

/* Free itself and 10,000 above, where a cluster's nodes talk; both below those that the system gives to
 * whoever asks for any. */
static int free_port(void)
{
    static unsigned seed;
    if (seed == 0)
        seed = (unsigned)getpid();
    for (int i = 0; i < PORTS_TRIED_MAX; i++) {
        int port = 10100 + rand_r(&seed) % 11900;
        if (take_port(port) && take_port(port + 10000))
            return port;
    }
    fail_msg("no free port");
    return 0;
}

static void prepare(struct redis_process *r, const char *host, int port)
{
    *r = (struct redis_process){0};
    snprintf(r->dir, sizeof(r->dir), "/tmp/minuted-redis-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->endpoint.host, sizeof(r->endpoint.host), "%s", host);
    r->endpoint.port = (uint16_t)port;
}

/* The server ends with this program, also where that is killed: by a time limit of ctest, for instance. */
static void spawn(struct redis_process *r, const char *const *args)
{
    pid_t test = getpid();
    r->pid = fork();
    if (r->pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != test)
            _exit(127);
        char log[96];
        snprintf(log, sizeof(log), "%s/log", r->dir);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execvp(args[0], (char *const *)args);
        _exit(127);
    }
    assert_true(r->pid > 0);
}

static void connect_when_up(struct redis_process *r)
{
    for (int i = 0; i < TRIES; i++) {
        r->client = redisConnect(r->endpoint.host, r->endpoint.port);
        if (r->client != NULL && r->client->err == 0)
            return;
        redisFree(r->client);
        r->client = NULL;
        pause_a_little();
    }
    fail_msg("redis-server on port %d does not answer; see %s/log", r->endpoint.port, r->dir);
}

/* BEFORE: words that stand before the command, NULL-terminated; or NULL. */
static void start(struct redis_process *r, const char *const *before, const char *const *extra)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", r->endpoint.port);
    const char *const command[] = {server_program(), "--port", port, "--bind", r->endpoint.host, "--dir",
        r->dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy",
        "noeviction"};
    const char *args[ARGS_MAX] = {NULL};
    size_t n = 0;
    while (before != NULL && *before != NULL && n < ARGS_MAX / 2)
        args[n++] = *before++;
    memcpy(args + n, command, sizeof(command));
    n += sizeof(command) / sizeof(command[0]);
    while (extra != NULL && *extra != NULL && n < ARGS_MAX - 1)
        args[n++] = *extra++;
    spawn(r, args);
    connect_when_up(r);
}

void redis_process_start(struct redis_process *r, const char *const *extra)
{
    prepare(r, "127.0.0.1", free_port());
    start(r, NULL, extra);
}

void redis_process_start_at(struct redis_process *r, const char *host, int port, const char *const *extra)
{
    prepare(r, host, port);
    start(r, NULL, extra);
}

void redis_process_start_at_offset(struct redis_process *r, const char *offset)
{
    char seconds[64];
    snprintf(seconds, sizeof(seconds), "CLOCK_SHIM_SECONDS=%s", offset);
    const char *const before[] = {"env", "LD_PRELOAD=" CLOCK_SHIM, seconds, NULL};
    prepare(r, "127.0.0.1", free_port());
    start(r, before, NULL);
}

void redis_process_start_sentinel(struct redis_process *r, const struct redis_process *primary)
{
    redis_process_start_sentinel_with(r, primary, "");
}

void redis_process_start_sentinel_with(
    struct redis_process *r, const struct redis_process *primary, const char *more)
{
    prepare(r, "127.0.0.1", free_port());
    char path[96];
    snprintf(path, sizeof(path), "%s/sentinel.conf", r->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor minuted 127.0.0.1 %d 1\n%s\n",
        r->endpoint.port, r->dir, primary->endpoint.port, more);
    fclose(file);
    const char *args[] = {server_program(), path, "--sentinel", NULL};
    spawn(r, args);
    connect_when_up(r);
}

void redis_process_stop(struct redis_process *r)
{
    if (r->pid == 0)
        return;
    if (r->client != NULL)
        redisFree(r->client);
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
    assert_int_equal(system(command), 0);
    *r = (struct redis_process){0};
}

void redis_process_command(struct redis_process *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(r->client, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

/* Until NODE knows who holds every slot. A node that does not need all of them is up before it has heard of
 * the others. */
static void wait_for_cluster(struct redis_process *node)
{
    for (int i = 0; i < TRIES; i++) {
        redisReply *reply = redisCommand(node->client, "CLUSTER INFO");
        bool up = reply != NULL && strstr(reply->str, "cluster_state:ok") != NULL &&
                  strstr(reply->str, "cluster_slots_ok:16384") != NULL;
        freeReplyObject(reply);
        if (up)
            return;
        pause_a_little();
    }
    fail_msg("the cluster does not come up");
}

void redis_process_join_cluster(struct redis_process *nodes, int n)
{
    for (int i = 0; i < n; i++) {
        redis_process_command(
            &nodes[i], "CLUSTER ADDSLOTSRANGE %d %d", i * 16384 / n, (i + 1) * 16384 / n - 1);
        redis_process_command(&nodes[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < n; i++)
        redis_process_command(&nodes[0], "CLUSTER MEET 127.0.0.1 %d", nodes[i].endpoint.port);
    for (int i = 0; i < n; i++)
        wait_for_cluster(&nodes[i]);
}
