/* The command line. Every option is a row that says how it reads its value. */
#include "load/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/assertions.h"
#include "load/quantity.h"

static const char usage[] =
    "Usage: minuted-bench --config FILE [options]\n"
    "\n"
    "Simulated players send heartbeats to minuted at a given rate, whether or not it keeps up;\n"
    "latency counts from when a heartbeat was due. --config is the daemon's configuration: it\n"
    "says where minuted listens, which lessons there are, what tokens are signed with, and\n"
    "where Redis and Kafka are. What is credited stays there, under learners bench-...:\n"
    "take a deployment of its own.\n"
    "\n"
    "The deployment\n"
    "  -c, --config FILE       the daemon's configuration\n"
    "  -s, --set KEY=VALUE     overrides one key of it; may be repeated\n"
    "      --dev               the configuration is one for 'minuted --dev'\n"
    "      --to ADDRESS        where to send, instead of http.listen; may be repeated, such as\n"
    "                          for several loopback addresses\n"
    "      --base-path PATH    instead of http.base_path\n"
    "\n"
    "The load\n"
    "  -l, --load PHASES       RATE:TIME, RATE-RATE:TIME (a ramp), several by commas; or\n"
    "                          max:TIME, a closed loop: each connection sends when it has its\n"
    "                          answer (1000:10s)\n"
    "  -p, --players N         (as many as the greatest rate takes at the interval)\n"
    "  -i, --interval TIME     between the heartbeats of a player (heartbeats.interval)\n"
    "  -b, --batch N           heartbeats in a request, of as many players, as a gateway; no\n"
    "                          more than 60 kB (1)\n"
    "  -n, --connections N     kept alive (256)\n"
    "      --close             a connection for each request\n"
    "      --from ADDRESSES    source addresses to connect from, by commas\n"
    "      --idle N            connections more that do nothing (0)\n"
    "  -t, --threads N         of the generator (1)\n"
    "      --timeout TIME      of a request (5s)\n"
    "      --warmup TIME       at the beginning that is not measured (2s)\n"
    "      --drain TIME        at the end, for what is not answered yet (30s)\n"
    "      --seed N            the same players again (1)\n"
    "\n"
    "The players\n"
    "      --pauses SHARE      of heartbeats with a pause in them (2%)\n"
    "      --seeks SHARE       of heartbeats with a jump in them (3%)\n"
    "      --resends SHARE     of accepted runs that are sent once more (1%)\n"
    "      --speeds SHARE      of players who do not play at speed 1 (20%)\n"
    "      --plain             none of these: a run a heartbeat\n"
    "      --make-sessions     sign session tokens with auth.session_key_file, instead of\n"
    "                          asking minuted with tokens of the first issuer with a secret\n"
    "      --backdate TIME     players played so long before, and deliver it now (implies\n"
    "                          --make-sessions); each heartbeat claims --claim of it\n"
    "      --claim TIME        (the interval)\n"
    "      --any-answer        the server is no minuted: every 2xx will do\n"
    "\n"
    "The result\n"
    "  -w, --watch NAME=PID    CPU and memory of a process and its children; may be repeated\n"
    "      --verify            Redis and Kafka hold exactly the seconds that were accepted\n"
    "      --verify-wait TIME  how long Kafka may take to have them all (3m)\n"
    "  -a, --assert LIST       such as 'p99<5ms,refused==0,lost==0': exit status 1 if not met\n"
    "      --title TEXT\n"
    "      --json FILE, --hgrm FILE, --html FILE\n"
    "                          write the result there, too; - is standard output\n"
    "  -q, --quiet             no progress line\n"
    "  -V, --version, -h, --help\n"
    "\n"
    "Exit status: 0 good; 1 failed, void or an assertion not met; 2 wrong usage.\n";

/* ---- values ---- */

static bool read_whole_number(const char *value, double min, double max, double *number)
{
    const char *end;
    return quantity_number(value, &end, number) && *end == '\0' && *number >= min && *number <= max &&
           *number == (double)(int64_t)*number;
}

static bool read_count(const char *value, unsigned min, unsigned max, unsigned *count)
{
    double number;
    if (!read_whole_number(value, min, max, &number))
        return false;
    *count = (unsigned)number;
    return true;
}

static bool read_time(const char *value, int64_t min_us, int64_t *us)
{
    const char *end;
    return quantity_duration(value, &end, us) && *end == '\0' && *us >= min_us;
}

/* 0.05 or 5%. */
static bool read_share(const char *value, double *share)
{
    const char *end;
    if (!quantity_number(value, &end, share))
        return false;
    if (*end == '%') {
        *share /= 100;
        end++;
    }
    return *end == '\0' && *share <= 1;
}

#define READER(option) static bool read_##option(struct load_options *o, char *value)
#define TEXT_READER(option, member)                                                                          \
    READER(option)                                                                                           \
    {                                                                                                        \
        o->member = value;                                                                                   \
        return *value != '\0';                                                                               \
    }
#define FLAG_READER(option)                                                                                  \
    READER(option)                                                                                           \
    {                                                                                                        \
        (void)value;                                                                                         \
        o->option = true;                                                                                    \
        return true;                                                                                         \
    }
#define COUNT_READER(option, min, max)                                                                       \
    READER(option)                                                                                           \
    {                                                                                                        \
        return read_count(value, min, max, &o->option);                                                      \
    }
#define TIME_READER(option, min_us)                                                                          \
    READER(option)                                                                                           \
    {                                                                                                        \
        return read_time(value, min_us, &o->option##_us);                                                    \
    }
#define SHARE_READER(option)                                                                                 \
    READER(option)                                                                                           \
    {                                                                                                        \
        return read_share(value, &o->option);                                                                \
    }

TEXT_READER(config, config_file)
TEXT_READER(title, title)
TEXT_READER(json, json_file)
TEXT_READER(hgrm, hgrm_file)
TEXT_READER(html, html_file)
FLAG_READER(dev)
FLAG_READER(close)
FLAG_READER(make_sessions)
FLAG_READER(any_answer)
FLAG_READER(verify)
FLAG_READER(quiet)
COUNT_READER(batch, 1, 256)
COUNT_READER(connections, 1, 60000)
COUNT_READER(idle, 0, 60000)
COUNT_READER(threads, 1, 64)
TIME_READER(interval, 1000)
TIME_READER(timeout, 10000)
TIME_READER(warmup, 0)
TIME_READER(drain, 0)
TIME_READER(claim, 1000)
TIME_READER(verify_wait, 0)
SHARE_READER(pauses)
SHARE_READER(seeks)
SHARE_READER(resends)
SHARE_READER(speeds)

READER(base_path)
{
    o->base_path = value;
    return *value == '\0' || *value == '/';
}

READER(players)
{
    return read_whole_number(value, 1, PLAYERS_MAX, &o->players);
}

READER(seed)
{
    double number;
    bool good = read_whole_number(value, 0, 1e15, &number);
    o->seed = good ? (uint64_t)number : 0;
    return good;
}

READER(set)
{
    char *equals = strchr(value, '=');
    if (equals == NULL || equals == value || o->n_overrides == OVERRIDES_MAX)
        return false;
    *equals = '\0';
    o->overrides[o->n_overrides++] = (struct config_override){value, equals + 1};
    return true;
}

READER(to)
{
    return o->n_places < PLACES_MAX && endpoint_parse(value, &o->places[o->n_places++]);
}

READER(from)
{
    char *rest = NULL;
    for (char *one = strtok_r(value, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (o->n_sources == SOURCES_MAX)
            return false;
        o->sources[o->n_sources++] = one;
    }
    return o->n_sources > 0;
}

READER(load)
{
    char problem[256];
    o->schedule_text = value;
    if (schedule_parse(value, &o->schedule, problem))
        return true;
    fprintf(stderr, "minuted-bench: --load: %s\n", problem);
    return false;
}

READER(plain)
{
    (void)value;
    o->pauses = o->seeks = o->resends = o->speeds = 0;
    return true;
}

READER(backdate)
{
    o->make_sessions = true;
    return read_time(value, 1000000, &o->backdate_us) && o->backdate_us <= 4 * 3600 * INT64_C(1000000);
}

READER(watch)
{
    char *equals = strchr(value, '=');
    unsigned pid;
    if (equals == NULL || equals == value || equals - value > NAME_MAX_CHARS || o->n_watched == WATCHED_MAX ||
        !read_count(equals + 1, 1, INT_MAX, &pid))
        return false;
    struct watched *w = &o->watched[o->n_watched++];
    memcpy(w->name, value, (size_t)(equals - value));
    w->pid = (pid_t)pid;
    return true;
}

READER(assert)
{
    char problem[256];
    o->assertions = value;
    if (assertions_check_syntax(value, problem))
        return true;
    fprintf(stderr, "minuted-bench: --assert: %s\n", problem);
    return false;
}

/* ---- rows ---- */

static const struct {
    const char *name;
    int letter; /* 0: none */
    int has_value;
    bool (*read)(struct load_options *o, char *value);
    const char *wanted;
} rows[] = {
    {"config", 'c', required_argument, read_config, "a file"},
    {"set", 's', required_argument, read_set, "KEY=VALUE, at most 64 times"},
    {"dev", 0, no_argument, read_dev, NULL},
    {"to", 0, required_argument, read_to, "host:port or unix:/path, at most 16 times"},
    {"base-path", 0, required_argument, read_base_path, "/x or nothing"},
    {"load", 'l', required_argument, read_load, "such as 20000:30s, 2000-20000:1m or max:10s"},
    {"players", 'p', required_argument, read_players, "1 to 4M"},
    {"interval", 'i', required_argument, read_interval, "a duration such as 15s"},
    {"batch", 'b', required_argument, read_batch, "1 to 256"},
    {"connections", 'n', required_argument, read_connections, "1 to 60000"},
    {"close", 0, no_argument, read_close, NULL},
    {"from", 0, required_argument, read_from, "at most 64 addresses"},
    {"idle", 0, required_argument, read_idle, "0 to 60000"},
    {"threads", 't', required_argument, read_threads, "1 to 64"},
    {"timeout", 0, required_argument, read_timeout, "a duration from 10ms"},
    {"warmup", 0, required_argument, read_warmup, "a duration such as 2s"},
    {"drain", 0, required_argument, read_drain, "a duration such as 30s"},
    {"seed", 0, required_argument, read_seed, "a whole number"},
    {"pauses", 0, required_argument, read_pauses, "a share such as 2%"},
    {"seeks", 0, required_argument, read_seeks, "a share such as 3%"},
    {"resends", 0, required_argument, read_resends, "a share such as 1%"},
    {"speeds", 0, required_argument, read_speeds, "a share such as 20%"},
    {"plain", 0, no_argument, read_plain, NULL},
    {"make-sessions", 0, no_argument, read_make_sessions, NULL},
    {"backdate", 0, required_argument, read_backdate, "a duration, 1s to 4h"},
    {"claim", 0, required_argument, read_claim, "a duration such as 1s"},
    {"any-answer", 0, no_argument, read_any_answer, NULL},
    {"watch", 'w', required_argument, read_watch, "NAME=PID, at most 8 times"},
    {"verify", 0, no_argument, read_verify, NULL},
    {"verify-wait", 0, required_argument, read_verify_wait, "a duration such as 3m"},
    {"assert", 'a', required_argument, read_assert, "such as p99<5ms,refused==0"},
    {"title", 0, required_argument, read_title, "a text"},
    {"json", 0, required_argument, read_json, "a file"},
    {"hgrm", 0, required_argument, read_hgrm, "a file"},
    {"html", 0, required_argument, read_html, "a file"},
    {"quiet", 'q', no_argument, read_quiet, NULL},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), ROW_FIRST = 256 };

/* The rows as getopt wants them; each letter, too, comes back as its row. */
static void list_options(struct option list[ROWS + 3], char letters[static 2 * ROWS + 8])
{
    size_t n = 0;
    for (int i = 0; i < ROWS; i++) {
        list[i] = (struct option){rows[i].name, rows[i].has_value, NULL, ROW_FIRST + i};
        if (rows[i].letter == 0)
            continue;
        letters[n++] = (char)rows[i].letter;
        if (rows[i].has_value == required_argument)
            letters[n++] = ':';
    }
    memcpy(letters + n, "Vh", 3);
    list[ROWS] = (struct option){"version", no_argument, NULL, 'V'};
    list[ROWS + 1] = (struct option){"help", no_argument, NULL, 'h'};
    list[ROWS + 2] = (struct option){0};
}

static bool complain(const char *what)
{
    fprintf(stderr, "minuted-bench: %s\nTry 'minuted-bench --help'.\n", what);
    return false;
}

/* What concerns several options. */
static bool check(const struct load_options *o)
{
    if (o->config_file == NULL && o->n_overrides == 0)
        return complain("--config is needed");
    if (o->any_answer && o->verify)
        return complain("--verify asks for a server that credits, --any-answer for one that does not");
    if (o->warmup_us / 1000000 >= (int64_t)schedule_seconds(&o->schedule))
        return complain("--warmup leaves no whole second of --load to be measured");
    if (o->connections < o->threads)
        return complain("--connections: each of --threads needs one");
    if (o->players > 0 && o->players < o->threads)
        return complain("--players: each of --threads needs one");
    return true;
}

bool load_options_parse(int argc, char **argv, struct load_options *options, enum exit_status *status)
{
    static char default_load[] = "1000:10s";
    struct option list[ROWS + 3];
    char letters[2 * ROWS + 8];
    int option;
    *options = (struct load_options){.batch = 1,
        .connections = 256,
        .threads = 1,
        .timeout_us = 5000000,
        .warmup_us = 2000000,
        .drain_us = 30000000,
        .seed = 1,
        .pauses = 0.02,
        .seeks = 0.03,
        .resends = 0.01,
        .speeds = 0.2,
        .verify_wait_us = 180000000};
    *status = EXIT_USAGE;
    (void)!read_load(options, default_load);
    list_options(list, letters);
    while ((option = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        if (option == 'V' || option == 'h') {
            fputs(option == 'h' ? usage : "minuted-bench " MINUTED_VERSION "\n", stdout);
            *status = EXIT_GOOD;
            return false;
        }
        int i = 0;
        while (i < ROWS && option != ROW_FIRST + i && (rows[i].letter == 0 || option != rows[i].letter))
            i++;
        if (i == ROWS) {
            fputs("Try 'minuted-bench --help'.\n", stderr);
            return false;
        }
        if (!rows[i].read(options, optarg)) {
            fprintf(stderr, "minuted-bench: --%s %s: %s is wanted\n", rows[i].name, optarg, rows[i].wanted);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(
            stderr, "minuted-bench: unexpected argument '%s'\nTry 'minuted-bench --help'.\n", argv[optind]);
        return false;
    }
    return check(options);
}
