/*
 * The command line. Every option is a row that says which commands know it, which need it, and how it reads
 * its value.
 */
#include "ledger/options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/moment.h"

#define FOLLOW (1U << COMMAND_FOLLOW)
#define HOURS (1U << COMMAND_HOURS)
#define WHY (1U << COMMAND_WHY)
#define TOTALS (1U << COMMAND_TOTALS)

static const char usage[] = "Usage: minuted-ledger COMMAND [options]\n"
                            "\n"
                            "The worked consumer of minuted's records.\n"
                            "\n"
                            "  follow   read the topics into a SQLite file\n"
                            "  hours    hours learned and certified, certificates, and what is missing\n"
                            "  why      one learner's minute, second by second\n"
                            "  totals   seconds by last record, greatest and evidence: do they agree?\n"
                            "\n"
                            "'minuted-ledger COMMAND --help' says more. --version prints the version.\n"
                            "Exit status: 0 good, 1 failed or disagreeing, 2 wrong usage.\n";

static const struct {
    const char *name;
    const char *usage;
} commands[COMMAND_COUNT] = {
    [COMMAND_FOLLOW] = {"follow",
        "Usage: minuted-ledger follow --brokers HOST:PORT[,...] --db FILE [options]\n"
        "\n"
        "Reads minuted's topics into SQLite: records by key, and in the same transaction the\n"
        "offsets to go on from. Reading everything again changes nothing.\n"
        "It stops, with exit status 1, when a topic is not the one that was read before, or when\n"
        "Kafka deleted records before they were read, and says how to go on. It waits for a Kafka\n"
        "that is away, unless --until-idle is given.\n"
        "\n"
        "  --brokers LIST          Kafka's brokers\n"
        "  --db FILE               the database; made when missing\n"
        "  --property NAME=VALUE   any property of librdkafka; may be repeated\n"
        "  --until-idle SECONDS    end when every partition was read and nothing came for so long\n"
        "  --look-every SECONDS    how often to look for added partitions, and whether the topics are\n"
        "                          still the ones that were read (60)\n"
        "  --from-start            read from the beginning, whatever was read before: also a topic\n"
        "                          that was made anew, or another cluster's; the ledger keeps what it\n"
        "                          has, and the greater counts\n"
        "  --accept-missing        go on although Kafka deleted records before they were read\n"
        "  --log-level LEVEL       debug, info, warn or error\n"},
    [COMMAND_HOURS] = {"hours",
        "Usage: minuted-ledger hours --db FILE --catalog FILE [options]\n"
        "\n"
        "For each learner, by the catalog's rules:\n"
        "  hours learned    the time that was watched, without a maximum\n"
        "  hours certified  whole courses only, after the test where the portal asks for one, up to\n"
        "                   the maximum; whether there is a certificate or not\n"
        "  certificate      certificate: all_hours wants the hours of every course, by_course those\n"
        "                   of any\n"
        "and what each course still misses: seconds, or the passed test.\n"
        "\n"
        "  --db FILE               the database that 'follow' fills\n"
        "  --catalog FILE          the catalog\n"
        "  --passes FILE           passed tests as CSV: portal,learner,course[,passed]\n"
        "  --portal P              this portal only\n"
        "  --learner L             this learner only\n"
        "  --format FORMAT         text, json or csv\n"},
    [COMMAND_WHY] = {"why",
        "Usage: minuted-ledger why --db FILE --portal P --learner L --minute TIME [--catalog FILE]\n"
        "\n"
        "One learner's minute as 60 cells, a row a lesson: # was credited, . was not, ! stands in\n"
        "two lessons (which may never be: exit status 1).\n"
        "\n"
        "  --db FILE               the database that 'follow' fills\n"
        "  --portal P, --learner L whose minute\n"
        "  --minute TIME           Unix seconds, or a time like 2023-01-05T16:00:00+08:00\n"
        "  --catalog FILE          adds the titles of courses and lessons\n"},
    [COMMAND_TOTALS] = {"totals",
        "Usage: minuted-ledger totals --db FILE [options]\n"
        "\n"
        "Watched and covered seconds of each learner and lesson. The last record of a key, the\n"
        "greatest and the seconds of the merged minutes must say the same: exit status 1 and the\n"
        "rows that differ, if not.\n"
        "\n"
        "  --db FILE               the database that 'follow' fills\n"
        "  --portal P              this portal only\n"
        "  --learner L             this learner only\n"
        "  --format FORMAT         text or json\n"},
};

/* ---- values ---- */

#define TEXT_READER(member)                                                                                  \
    static bool read_##member(struct ledger_options *o, const char *value)                                   \
    {                                                                                                        \
        o->member = value;                                                                                   \
        return *value != '\0';                                                                               \
    }

TEXT_READER(brokers)
TEXT_READER(database)
TEXT_READER(catalog)
TEXT_READER(passes)
TEXT_READER(portal)
TEXT_READER(learner)

static bool read_property(struct ledger_options *o, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value || o->n_properties == PROPERTIES_MAX)
        return false;
    o->properties[o->n_properties++] = value;
    return true;
}

static bool read_seconds(const char *value, double *seconds)
{
    char *end;
    *seconds = strtod(value, &end);
    return end != value && *end == '\0' && isfinite(*seconds) && *seconds >= 0;
}

static bool read_until_idle(struct ledger_options *o, const char *value)
{
    return read_seconds(value, &o->until_idle_s);
}

static bool read_look_every(struct ledger_options *o, const char *value)
{
    return read_seconds(value, &o->look_every_s);
}

static bool read_from_start(struct ledger_options *o, const char *value)
{
    (void)value;
    o->from_start = true;
    return true;
}

static bool read_accept_missing(struct ledger_options *o, const char *value)
{
    (void)value;
    o->accept_missing = true;
    return true;
}

static bool find_name(const char *const *names, int n, const char *value, int *found)
{
    for (*found = 0; *found < n; ++*found)
        if (strcmp(names[*found], value) == 0)
            return true;
    return false;
}

static bool read_log_level(struct ledger_options *o, const char *value)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int found;
    bool good = find_name(names, 4, value, &found);
    o->log_level = (enum log_level)found;
    return good;
}

static bool read_format(struct ledger_options *o, const char *value)
{
    static const char *const names[] = {"text", "json", "csv"};
    int found;
    bool good = find_name(names, o->command == COMMAND_HOURS ? 3 : 2, value, &found);
    o->format = (enum format)found;
    return good;
}

static bool read_minute(struct ledger_options *o, const char *value)
{
    if (!moment_parse(value, &o->minute))
        return false;
    o->minute -= o->minute % 60;
    return true;
}

/* ---- options ---- */

static const struct {
    const char *name;
    int has_value;
    unsigned known; /* to these commands */
    unsigned needed;
    const char *wanted;
    bool (*read)(struct ledger_options *o, const char *value);
} rows[] = {
    {"brokers", required_argument, FOLLOW, FOLLOW, "HOST:PORT[,...]", read_brokers},
    {"db", required_argument, FOLLOW | HOURS | WHY | TOTALS, FOLLOW | HOURS | WHY | TOTALS, "a file",
        read_database},
    {"property", required_argument, FOLLOW, 0, "NAME=VALUE, at most 64 times", read_property},
    {"until-idle", required_argument, FOLLOW, 0, "a number of seconds", read_until_idle},
    {"look-every", required_argument, FOLLOW, 0, "a number of seconds", read_look_every},
    {"from-start", no_argument, FOLLOW, 0, "no value", read_from_start},
    {"accept-missing", no_argument, FOLLOW, 0, "no value", read_accept_missing},
    {"log-level", required_argument, FOLLOW, 0, "debug, info, warn or error", read_log_level},
    {"catalog", required_argument, HOURS | WHY, HOURS, "a file", read_catalog},
    {"passes", required_argument, HOURS, 0, "a file", read_passes},
    {"portal", required_argument, HOURS | WHY | TOTALS, WHY, "a portal's id", read_portal},
    {"learner", required_argument, HOURS | WHY | TOTALS, WHY, "a learner's id", read_learner},
    {"minute", required_argument, WHY, WHY, "Unix seconds or a time like 2023-01-05T16:00:00+08:00",
        read_minute},
    {"format", required_argument, HOURS | TOTALS, 0, "text, json or (hours only) csv", read_format},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), HELP = ROWS, VERSION };

static bool complain(enum command command)
{
    fprintf(stderr, "Try 'minuted-ledger %s --help'.\n", commands[command].name);
    return false;
}

static bool parse_command(int argc, char **argv, struct ledger_options *o, enum exit_status *status)
{
    /* The rows that the command knows, --help and --version, as getopt wants them. */
    struct option list[ROWS + 3];
    size_t n = 0;
    unsigned given = 0;
    int i;
    for (i = 0; i < ROWS; i++)
        if (rows[i].known >> o->command & 1)
            list[n++] = (struct option){rows[i].name, rows[i].has_value, NULL, i};
    list[n++] = (struct option){"help", no_argument, NULL, HELP};
    list[n++] = (struct option){"version", no_argument, NULL, VERSION};
    list[n] = (struct option){0};
    while ((i = getopt_long(argc, argv, "", list, NULL)) != -1) {
        if (i == HELP || i == VERSION) {
            fputs(i == HELP ? commands[o->command].usage : "minuted-ledger " MINUTED_VERSION "\n", stdout);
            *status = EXIT_GOOD;
            return false;
        }
        if (i == '?')
            return complain(o->command);
        if (!rows[i].read(o, optarg)) {
            fprintf(stderr, "minuted-ledger: --%s %s: %s is wanted\n", rows[i].name, optarg, rows[i].wanted);
            return complain(o->command);
        }
        given |= 1U << i;
    }
    if (optind < argc) {
        fprintf(stderr, "minuted-ledger: unexpected argument '%s'\n", argv[optind]);
        return complain(o->command);
    }
    for (i = 0; i < ROWS; i++) {
        if ((rows[i].needed >> o->command & 1) == 0 || (given >> i & 1) != 0)
            continue;
        fprintf(stderr, "minuted-ledger %s: --%s is needed\n", commands[o->command].name, rows[i].name);
        return complain(o->command);
    }
    return true;
}

bool ledger_options_parse(int argc, char **argv, struct ledger_options *options, enum exit_status *status)
{
    const char *name = argc > 1 ? argv[1] : "";
    *options =
        (struct ledger_options){.until_idle_s = -1, .look_every_s = 60, .log_level = LOG_INFO, .minute = -1};
    *status = EXIT_USAGE;
    for (enum command c = 0; c < COMMAND_COUNT; c++) {
        if (strcmp(commands[c].name, name) != 0)
            continue;
        options->command = c;
        return parse_command(argc - 1, argv + 1, options, status);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        fputs(name[2] == 'v' ? "minuted-ledger " MINUTED_VERSION "\n" : usage, stdout);
        *status = EXIT_GOOD;
        return false;
    }
    if (argc > 1)
        fprintf(stderr, "minuted-ledger: there is no command '%s'\n\n", name);
    fputs(usage, stderr);
    return false;
}
