/* What processes and Redis have used so far. */
#include "load/sampler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "redis/client.h"
#include "redis/reply.h"

enum { FILE_SIZE = 4096, CHILDREN_MAX = 64 };

struct sampler {
    const struct watched *processes;
    size_t n_processes;
    const struct endpoint_list *servers;
    const struct redis_login *login;
    redisContext **redis; /* a connection each; NULL where there is none */
    struct sample last;
};

struct sampler *sampler_new(const struct watched *processes, size_t n_processes,
    const struct endpoint_list *servers, const struct redis_login *login)
{
    struct sampler *s = mem_zalloc(sizeof(*s));
    s->processes = processes;
    s->n_processes = n_processes;
    s->servers = servers;
    s->login = login;
    s->redis = mem_zalloc((servers->n + 1) * sizeof(redisContext *));
    return s;
}

void sampler_free(struct sampler *s)
{
    for (size_t i = 0; i < s->servers->n; i++)
        if (s->redis[i] != NULL)
            redisFree(s->redis[i]);
    free(s->redis);
    free(s);
}

/* ---- processes ---- */

/* A file of /proc/PID/ as text; false when there is none (any more). */
static bool read_file(pid_t pid, const char *name, char text[static FILE_SIZE])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, FILE_SIZE - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/*
 * utime and stime, the 12th and 13th field behind the command's closing parenthesis, and the same of its
 * children that have ended: so the sum of a process and its descendants never shrinks.
 */
static uint64_t cpu_of(const char *stat)
{
    const char *at = strrchr(stat, ')');
    unsigned long long ticks[4];
    if (at == NULL || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                          &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 4)
        return 0;
    return (ticks[0] + ticks[1] + ticks[2] + ticks[3]) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static size_t children_of(pid_t pid, pid_t children[static CHILDREN_MAX])
{
    char name[64];
    char text[FILE_SIZE];
    size_t n = 0;
    snprintf(name, sizeof(name), "task/%d/children", (int)pid);
    if (!read_file(pid, name, text))
        return 0;
    for (char *at = text; n < CHILDREN_MAX; n++) {
        char *end;
        children[n] = (pid_t)strtol(at, &end, 10);
        if (end == at)
            break;
        at = end;
    }
    return n;
}

static bool add_process(pid_t pid, int depth, struct usage *usage)
{
    char text[FILE_SIZE];
    pid_t children[CHILDREN_MAX];
    if (!read_file(pid, "stat", text))
        return false;
    usage->cpu_us += cpu_of(text);
    /* Only anonymous memory is the process's own; the pages of files may be shared. */
    const char *memory = read_file(pid, "status", text) ? strstr(text, "RssAnon:") : NULL;
    if (memory != NULL)
        usage->memory += strtoull(memory + strlen("RssAnon:"), NULL, 10) * 1024;
    size_t n = depth < 4 ? children_of(pid, children) : 0;
    for (size_t i = 0; i < n; i++)
        (void)!add_process(children[i], depth + 1, usage);
    return true;
}

/* ---- Redis ---- */

static uint64_t info_number(const char *info, const char *name)
{
    const char *at = strstr(info, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static bool add_server(
    redisContext **c, const struct endpoint *e, const struct redis_login *login, struct redis_usage *usage)
{
    char error[CLIENT_ERROR_MAX];
    struct redis_server server = {.endpoint = *e, .login = login};
    if (*c == NULL && endpoint_resolve(e, &server.address.addr, &server.address.len))
        *c = client_connect(&server, error);
    redisReply *reply = *c != NULL ? client_words(*c, error, "INFO", NULL) : NULL;
    const char *info = reply_text(reply);
    bool good = info[0] != '\0';
    usage->commands += info_number(info, "total_commands_processed:");
    usage->memory += info_number(info, "used_memory:");
    usage->keys += info_number(info, "db0:keys=");
    freeReplyObject(reply);
    if (!good && *c != NULL) {
        redisFree(*c);
        *c = NULL;
    }
    return good;
}

void sampler_read(struct sampler *s, struct sample *sample)
{
    for (size_t i = 0; i < s->n_processes; i++) {
        struct usage usage = {0};
        if (add_process(s->processes[i].pid, 0, &usage))
            s->last.watched[i] = usage;
        else
            s->last.gone[i] = true;
    }
    struct redis_usage redis = {0};
    bool good = s->servers->n > 0;
    for (size_t i = 0; i < s->servers->n; i++)
        good = add_server(&s->redis[i], &s->servers->items[i], s->login, &redis) && good;
    if (good) {
        s->last.redis = redis;
        s->last.has_redis = true;
    }
    *sample = s->last;
}
