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
#include "load/metrics.h"
#include "load/quantity.h"

static const char usage[] =
    "Usage: minuted-bench --config FILE [OPTION]...\n"
    "\n"
    "minuted-bench plays the part of many players, who send heartbeats to minuted at a\n"
    "given rate whether or not it keeps up. Latency counts from the time at which a\n"
    "heartbeat was due. The daemon's configuration says where minuted listens, which\n"
    "lessons there are, which keys sign tokens, and where Redis and Kafka are.\n"
    "\n"
    "What is credited stays in Redis and Kafka, for learners named bench-...; so do not\n"
    "load a deployment that people learn with.\n"
    "\n"
    "RATE is a number of requests a second, such as 500 or 20K. TIME is a duration, such\n"
    "as 500ms, 15s, 2m or 1h. SHARE is a fraction, such as 0.05 or 5%. The default of an\n"
    "option stands in parentheses.\n"
    "\n"
    "Deployment:\n"
    "  -c, --config FILE       read the daemon's configuration from FILE\n"
    "  -s, --set KEY=VALUE     override one of its keys; may be repeated\n"
    "      --dev               read it as 'minuted --dev' does\n"
    "      --to ADDRESS        send to ADDRESS (http.listen); may be repeated, and the\n"
    "                          connections are then shared among the addresses\n"
    "      --base-path PATH    send to paths below PATH (http.base_path)\n"
    "\n"
    "Load:\n"
    "  -l, --load PHASES       send at these rates (1000:10s). A phase is RATE:TIME, or\n"
    "                          RATE-RATE:TIME for a ramp; phases are separated by commas.\n"
    "                          max:TIME instead is a closed loop: each connection sends\n"
    "                          its next request when the last one is answered\n"
    "  -p, --players N         number of players (as many as the highest rate needs)\n"
    "  -i, --interval TIME     time between a player's heartbeats (heartbeats.interval)\n"
    "  -b, --batch N           put N heartbeats of different players into each request,\n"
    "                          as a gateway does (1); a request has at most 60 kB\n"
    "  -n, --connections N     number of connections, which are kept alive (256)\n"
    "      --close             open a new connection for each request\n"
    "      --from ADDRESSES    connect from these source addresses, separated by commas\n"
    "      --idle N            open N more connections that send nothing (0)\n"
    "  -t, --threads N         number of threads that send (1)\n"
    "      --timeout TIME      count a request as failed after TIME (5s)\n"
    "      --warmup TIME       leave the first TIME of the load out of the result (2s)\n"
    "      --drain TIME        wait at most TIME for the last answers (30s)\n"
    "      --seed N            choose another sequence of random numbers (1)\n"
    "\n"
    "Players:\n"
    "      --pauses SHARE      heartbeats with a pause in them (2%)\n"
    "      --seeks SHARE       heartbeats with a seek in them (3%)\n"
    "      --resends SHARE     accepted runs that are sent a second time (1%)\n"
    "      --speeds SHARE      players who do not play at normal speed (20%)\n"
    "      --plain             set these four shares to 0\n"
    "      --make-sessions     sign session tokens with auth.session_key_file; without\n"
    "                          this, the players open sessions with platform tokens of\n"
    "                          the first issuer that has a secret\n"
    "      --backdate TIME     deliver now what the players played in the last TIME;\n"
    "                          implies --make-sessions\n"
    "      --claim TIME        with --backdate, each heartbeat claims TIME (the interval)\n"
    "      --any-answer        count every answer 2xx as success, for servers other than\n"
    "                          minuted\n"
    "\n"
    "Result:\n"
    "  -w, --watch NAME=PID    measure CPU time and memory of a process and its children;\n"
    "                          may be repeated\n"
    "      --verify            compare Redis and Kafka with what was accepted, second by\n"
    "                          second\n"
    "      --verify-wait TIME  wait at most TIME until Kafka has it all (3m)\n"
    "  -a, --assert LIST       exit with status 1 unless all conditions hold, such as\n"
    "                          'p99<5ms,refused==0,lost==0'\n"
    "      --title TEXT        title of the reports\n"
    "      --json FILE         write the result as JSON to FILE; '-' is standard output\n"
    "      --hgrm FILE         write the latencies for HdrHistogram's plotters\n"
    "      --html FILE         write a page with charts\n"
    "  -q, --quiet             do not show progress\n"
    "\n"
    "  -V, --version           print the version and exit\n"
    "  -h, --help              print this help and exit\n";

static const char usage_end[] =
    "\n"
    "Exit status:\n"
    "  0  success\n"
    "  1  failure, a void result, an assertion that does not hold, or a difference that\n"
    "     --verify found\n"
    "  2  wrong usage\n"
    "\n"
    "Examples:\n"
    "  minuted-bench --config minuted.yaml --load 1000:60s --watch minuted=$(pidof minuted)\n"
    "  minuted-bench --config minuted.yaml --load 100-2000:1m,2000:2m --html load.html\n"
    "  minuted-bench --config minuted.yaml --load max:30s --verify --assert 'lost==0'\n";

static void print_help(void)
{
    fputs(usage, stdout);
    puts("\nMetrics for --assert:");
    for (size_t i = 0; i < load_n_metrics; i++)
        printf("  %-27s %s\n", load_metrics[i].name, load_metrics[i].help);
    printf("  %-27s %s\n", METRIC_CPU_PREFIX "NAME", "CPU time of a watched process per accepted run");
    fputs(usage_end, stdout);
}

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
    const char *expected; /* NULL: reading it says what is wrong */
} rows[] = {
    {"config", 'c', required_argument, read_config, "a file"},
    {"set", 's', required_argument, read_set, "KEY=VALUE, at most 64 times"},
    {"dev", 0, no_argument, read_dev, NULL},
    {"to", 0, required_argument, read_to, "host:port or unix:/path, at most 16 times"},
    {"base-path", 0, required_argument, read_base_path, "a path that begins with /, or nothing"},
    {"load", 'l', required_argument, read_load, NULL},
    {"players", 'p', required_argument, read_players, "a whole number from 1 to 4M"},
    {"interval", 'i', required_argument, read_interval, "a duration such as 15s"},
    {"batch", 'b', required_argument, read_batch, "a whole number from 1 to 256"},
    {"connections", 'n', required_argument, read_connections, "a whole number from 1 to 60000"},
    {"close", 0, no_argument, read_close, NULL},
    {"from", 0, required_argument, read_from, "1 to 64 addresses, separated by commas"},
    {"idle", 0, required_argument, read_idle, "a whole number from 0 to 60000"},
    {"threads", 't', required_argument, read_threads, "a whole number from 1 to 64"},
    {"timeout", 0, required_argument, read_timeout, "a duration of at least 10ms"},
    {"warmup", 0, required_argument, read_warmup, "a duration such as 2s"},
    {"drain", 0, required_argument, read_drain, "a duration such as 30s"},
    {"seed", 0, required_argument, read_seed, "a whole number"},
    {"pauses", 0, required_argument, read_pauses, "a share such as 2%"},
    {"seeks", 0, required_argument, read_seeks, "a share such as 3%"},
    {"resends", 0, required_argument, read_resends, "a share such as 1%"},
    {"speeds", 0, required_argument, read_speeds, "a share such as 20%"},
    {"plain", 0, no_argument, read_plain, NULL},
    {"make-sessions", 0, no_argument, read_make_sessions, NULL},
    {"backdate", 0, required_argument, read_backdate, "a duration from 1s to 4h"},
    {"claim", 0, required_argument, read_claim, "a duration such as 1s"},
    {"any-answer", 0, no_argument, read_any_answer, NULL},
    {"watch", 'w', required_argument, read_watch, "NAME=PID, at most 8 times"},
    {"verify", 0, no_argument, read_verify, NULL},
    {"verify-wait", 0, required_argument, read_verify_wait, "a duration such as 3m"},
    {"assert", 'a', required_argument, read_assert, NULL},
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
        return complain("--config or --set is required");
    if (o->any_answer && o->verify)
        return complain(
            "--verify and --any-answer exclude each other: only minuted's answers say what was credited");
    if (o->warmup_us / 1000000 >= (int64_t)schedule_seconds(&o->schedule))
        return complain("--warmup leaves no whole second of --load to measure");
    if (o->connections < o->threads)
        return complain("--connections must not be less than --threads");
    if (o->players > 0 && o->players < o->threads)
        return complain("--players must not be less than --threads");
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
            if (option == 'h')
                print_help();
            else
                puts("minuted-bench " MINUTED_VERSION);
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
            if (rows[i].expected != NULL)
                fprintf(
                    stderr, "minuted-bench: --%s %s: expected %s\n", rows[i].name, optarg, rows[i].expected);
            fputs("Try 'minuted-bench --help'.\n", stderr);
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
