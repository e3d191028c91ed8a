/* minuted-bench: an open-loop load of simulated players, and whether all they were credited came out. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "load/assertions.h"
#include "load/report_hgrm.h"
#include "load/report_html.h"
#include "load/report_json.h"
#include "load/report_text.h"
#include "load/run.h"
#include "load/verdict.h"
#include "load/verify.h"

/* A signal's handler can reach nothing but a global variable. */
static atomic_bool interrupted;

static void interrupt(int signal)
{
    (void)signal;
    atomic_store(&interrupted, true);
}

/* ---- what the result says of itself ---- */

static void describe_machine(char *text, size_t size)
{
    struct utsname name;
    char model[128] = "";
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && model[0] == '\0' && fgets(line, sizeof(line), file) != NULL)
        (void)!sscanf(line, "model name : %127[^\n]", model);
    if (file != NULL)
        fclose(file);
    double gib = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024);
    uname(&name);
    snprintf(text, size, "%ld CPUs (%s), %.0f GiB, %s %.40s", sysconf(_SC_NPROCESSORS_ONLN),
        model[0] != '\0' ? model : name.machine, gib, name.sysname, name.release);
}

static void describe(struct result *r, const struct setup *s, char *command)
{
    const struct load_options *o = s->options;
    time_t now = time(NULL);
    struct tm utc;
    strftime(r->started, sizeof(r->started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    snprintf(r->command, sizeof(r->command), "%s", command);
    snprintf(r->title, sizeof(r->title), "%s", o->title != NULL ? o->title : o->schedule_text);
    snprintf(r->schedule, sizeof(r->schedule), "%s", o->schedule_text);
    snprintf(r->version, sizeof(r->version), "%s", MINUTED_VERSION);
    describe_machine(r->machine, sizeof(r->machine));
    r->closed_loop = o->schedule.closed;
    r->players = s->evidence.n_learners;
    r->connections = (uint64_t)s->plan.pool.size * o->threads;
    r->idle_connections = o->idle;
    r->threads = o->threads;
    r->batch = o->batch;
    r->interval_s = (double)s->playing.interval_ms / 1000;
    r->seed = o->seed;
    r->n_watched = o->n_watched;
    for (size_t i = 0; i < o->n_watched; i++)
        snprintf(r->watched_names[i], sizeof(r->watched_names[i]), "%s", o->watched[i].name);
}

/* ---- writing ---- */

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static bool write_file(const char *path, const struct buf *text)
{
    bool out = is_stdout(path);
    FILE *file = out ? stdout : fopen(path, "w");
    bool good = file != NULL && fwrite(text->data, 1, text->len, file) == text->len && fflush(file) == 0;
    int error = errno;
    if (file != NULL && !out)
        good = fclose(file) == 0 && good;
    if (!good)
        fprintf(stderr, "minuted-bench: %s: %s\n", path, strerror(error));
    return good;
}

static void report_percentiles(const struct result *r, struct buf *out)
{
    report_hgrm(&r->latency, out);
}

static enum exit_status conclude(const struct load_options *o, const struct result *r)
{
    const struct {
        const char *path;
        void (*report)(const struct result *r, struct buf *out);
    } reports[] = {
        {o->json_file, report_json}, {o->hgrm_file, report_percentiles}, {o->html_file, report_html}};
    struct buf text = {0};
    report_text(r, &text);
    bool good = r->void_reason[0] == '\0';
    if (r->verification.asked)
        good = good && r->verification.problem[0] == '\0' && r->verification.lost_s == 0 &&
               r->verification.extra_s == 0;
    if (o->assertions != NULL)
        good = assertions_judge(o->assertions, r, &text) && good;
    /* If a report goes to standard output, the text goes to standard error. */
    bool stdout_taken = is_stdout(o->json_file) || is_stdout(o->hgrm_file) || is_stdout(o->html_file);
    good = fwrite(text.data, 1, text.len, stdout_taken ? stderr : stdout) == text.len && good;
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (reports[i].path == NULL)
            continue;
        buf_clear(&text);
        reports[i].report(r, &text);
        good = write_file(reports[i].path, &text) && good;
    }
    buf_free(&text);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

/* ---- the load ---- */

static enum exit_status run(const struct load_options *o, char *command)
{
    char problem[PROBLEM_MAX];
    struct setup setup;
    if (!setup_init(&setup, o, problem)) {
        fprintf(stderr, "minuted-bench: %s\n", problem);
        return EXIT_FAILED;
    }
    struct result *result = mem_zalloc(sizeof(*result));
    enum exit_status status = EXIT_FAILED;
    describe(result, &setup, command);
    if (o->verify && strcmp(setup.config->kafka.brokers, "embedded") == 0) {
        fprintf(stderr, "minuted-bench: --verify needs a real Kafka: the embedded broker does not "
                        "keep all records\n");
    } else if (!run_load(&setup, result, &interrupted, problem)) {
        fprintf(stderr, "minuted-bench: %s\n", problem);
    } else {
        verdict_set(result, atomic_load(&interrupted));
        result->verification.asked = o->verify;
        if (o->verify && result->unanswered > 0)
            snprintf(result->verification.problem, sizeof(result->verification.problem),
                "%llu players got no answer, so it is unknown what they were credited",
                (unsigned long long)result->unanswered);
        else if (o->verify)
            verify(setup.config, &setup.evidence, o->verify_wait_us / 1000, &result->verification);
        status = conclude(o, result);
    }
    result_free(result);
    free(result);
    setup_free(&setup);
    return status;
}

int main(int argc, char **argv)
{
    struct load_options options;
    enum exit_status status;
    /* The command is kept before load_options_parse() cuts the values of --set in two. */
    char command[2048] = "";
    size_t n = 0;
    for (int i = 0; i < argc && n < sizeof(command); i++) {
        bool quoted = strpbrk(argv[i], " <>&|;'\"$*") != NULL;
        n += (size_t)snprintf(
            command + n, sizeof(command) - n, quoted ? "%s'%s'" : "%s%s", i > 0 ? " " : "", argv[i]);
    }
    if (!load_options_parse(argc, argv, &options, &status))
        return (int)status;
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max; /* each connection of the load takes a descriptor */
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return (int)run(&options, command);
}
