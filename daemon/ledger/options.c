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

#include "base/id.h"
#include "ledger/moment.h"

#define FOLLOW (1U << COMMAND_FOLLOW)
#define HOURS (1U << COMMAND_HOURS)
#define WHY (1U << COMMAND_WHY)
#define TOTALS (1U << COMMAND_TOTALS)

static const char usage[] =
    "Usage: minuted-ledger COMMAND [OPTION]...\n"
    "\n"
    "minuted-ledger is a complete example of a consumer of minuted's Kafka topics. It\n"
    "keeps the records in a SQLite database and answers questions from it.\n"
    "\n"
    "Commands:\n"
    "  follow   read the topics into the database\n"
    "  hours    show learned and certified hours, certificates, and what is missing\n"
    "  why      show one minute of a learner, second by second\n"
    "  totals   compare each total with the records that it was made from\n"
    "\n"
    "Options:\n"
    "  -V, --version   print the version and exit\n"
    "  -h, --help      print this help and exit; COMMAND --help describes a command\n"
    "\n"
    "Exit status:\n"
    "  0  success\n"
    "  1  failure, or records that contradict each other\n"
    "  2  wrong usage\n"
    "\n"
    "Examples:\n"
    "  minuted-ledger follow --brokers localhost:9092 --db ledger.db\n"
    "  minuted-ledger hours --db ledger.db --catalog winter-2023.yaml\n";

static const struct {
    const char *name;
    const char *usage;
} commands[COMMAND_COUNT] = {
    [COMMAND_FOLLOW] = {"follow",
        "Usage: minuted-ledger follow --brokers HOST:PORT[,...] --db FILE [OPTION]...\n"
        "\n"
        "follow reads minuted's topics into a SQLite database. Each transaction stores\n"
        "records and the offsets behind them, so follow can be ended at any time and goes\n"
        "on where it was; reading records a second time changes nothing. While Kafka cannot\n"
        "be reached, follow waits, unless --until-idle is given. It stops and says how to go\n"
        "on if a topic is not the one that was read before, or if Kafka deleted records\n"
        "before they were read.\n"
        "\n"
        "Options:\n"
        "  --brokers LIST           Kafka's brokers, as HOST:PORT separated by commas\n"
        "  --db FILE                the database, which is created if it does not exist\n"
        "  --topic-prefix PREFIX    what the topics' names begin with, which is minuted's\n"
        "                           kafka.topic_prefix (minuted); a database keeps to the\n"
        "                           prefix that it was filled with first\n"
        "  --property NAME=VALUE    set a property of librdkafka; may be repeated\n"
        "  --until-idle SECONDS     end when every partition is read to its end and no\n"
        "                           record has come for SECONDS\n"
        "  --look-every SECONDS     look every SECONDS for new partitions, and whether the\n"
        "                           topics are still the ones that were read (60)\n"
        "  --from-start             read every topic from its beginning, even if it was\n"
        "                           created anew or belongs to another cluster; what the\n"
        "                           database has is kept, and the greater value counts\n"
        "  --accept-missing         go on although Kafka deleted records before they were\n"
        "                           read\n"
        "  --log-level LEVEL        debug, info, warn or error (info)\n"
        "  -V, --version            print the version and exit\n"
        "  -h, --help               print this help and exit\n"
        "\n"
        "Exit status:\n"
        "  0  success\n"
        "  1  failure\n"
        "  2  wrong usage\n"
        "\n"
        "Examples:\n"
        "  minuted-ledger follow --brokers localhost:9092 --db ledger.db\n"
        "  minuted-ledger follow --brokers localhost:9092 --db ledger.db --until-idle 5\n"},
    [COMMAND_HOURS] = {"hours",
        "Usage: minuted-ledger hours --db FILE --catalog FILE [OPTION]...\n"
        "\n"
        "hours shows for each learner of the catalog's program, by the catalog's rules:\n"
        "\n"
        "  hours learned     what the learner watched, without an upper limit\n"
        "  hours certified   the hours of completed courses, up to the program's maximum; if\n"
        "                    the portal asks for a test, a course counts after it is passed\n"
        "  certificate       with 'certificate: all_hours', a learner gets one for the hours\n"
        "                    of every course; with by_course, for those of any course\n"
        "\n"
        "and for each course what is missing: seconds, or the passed test.\n"
        "\n"
        "Options:\n"
        "  --db FILE                the database that 'minuted-ledger follow' fills\n"
        "  --catalog FILE           the catalog\n"
        "  --passes FILE            passed tests as CSV: portal,learner,course[,passed]\n"
        "  --portal PORTAL          show the learners of this portal only\n"
        "  --learner LEARNER        show this learner only\n"
        "  --format FORMAT          text, json or csv (text)\n"
        "  -V, --version            print the version and exit\n"
        "  -h, --help               print this help and exit\n"
        "\n"
        "Exit status:\n"
        "  0  success\n"
        "  1  failure\n"
        "  2  wrong usage\n"
        "\n"
        "Examples:\n"
        "  minuted-ledger hours --db ledger.db --catalog winter-2023.yaml --passes passes.csv\n"
        "  minuted-ledger hours --db ledger.db --catalog winter-2023.yaml --format csv\n"},
    [COMMAND_WHY] = {"why",
        "Usage: minuted-ledger why --db FILE --portal PORTAL --learner LEARNER --minute TIME\n"
        "                          [OPTION]...\n"
        "\n"
        "why shows one minute of a learner as 60 characters for each lesson: '#' is a second\n"
        "that was credited, '.' is one that was not, and '!' is one that was credited to two\n"
        "lessons, which must never happen. It names the records that say so.\n"
        "\n"
        "Options:\n"
        "  --db FILE                the database that 'minuted-ledger follow' fills\n"
        "  --portal PORTAL          the learner's portal\n"
        "  --learner LEARNER        the learner\n"
        "  --minute TIME            Unix seconds, or a time like 2023-01-05T16:00:00+08:00\n"
        "  --program PROGRAM        the program that was watched; needed if the database has\n"
        "                           more than one and no catalog says which is meant\n"
        "  --catalog FILE           show the titles of courses and lessons as well\n"
        "  -V, --version            print the version and exit\n"
        "  -h, --help               print this help and exit\n"
        "\n"
        "Exit status:\n"
        "  0  success\n"
        "  1  failure, or a second that was credited to two lessons\n"
        "  2  wrong usage\n"
        "\n"
        "Examples:\n"
        "  minuted-ledger why --db ledger.db --portal demo --learner alice \\\n"
        "      --minute 2023-01-05T16:00:00+08:00\n"},
    [COMMAND_TOTALS] = {"totals",
        "Usage: minuted-ledger totals --db FILE [OPTION]...\n"
        "\n"
        "totals shows the watched and covered seconds of each program, learner and lesson. It\n"
        "checks that three figures agree: the last record of a total, the greatest record of\n"
        "it, and the seconds of all minutes together. A row that does not agree says\n"
        "DISAGREES.\n"
        "\n"
        "Options:\n"
        "  --db FILE                the database that 'minuted-ledger follow' fills\n"
        "  --program PROGRAM        show this program only\n"
        "  --portal PORTAL          show this portal only\n"
        "  --learner LEARNER        show this learner only\n"
        "  --format FORMAT          text or json (text)\n"
        "  -V, --version            print the version and exit\n"
        "  -h, --help               print this help and exit\n"
        "\n"
        "Exit status:\n"
        "  0  success\n"
        "  1  failure, or figures that do not agree\n"
        "  2  wrong usage\n"
        "\n"
        "Examples:\n"
        "  minuted-ledger totals --db ledger.db --portal demo\n"},
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
TEXT_READER(program)
TEXT_READER(portal)
TEXT_READER(learner)

static bool read_topic_prefix(struct ledger_options *o, const char *value)
{
    o->topic_prefix = value;
    return id_valid(slice_of(value));
}

static bool read_property(struct ledger_options *o, const char *value)
{
    char *equals = strchr(value, '=');
    if (equals == NULL || equals == value || o->n_properties == PROPERTIES_MAX)
        return false;
    *equals = '\0'; /* a program may write to its arguments */
    o->properties[o->n_properties++] = (struct config_property){.name = (char *)value, .value = equals + 1};
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
    const char *expected;
    bool (*read)(struct ledger_options *o, const char *value);
} rows[] = {
    {"brokers", required_argument, FOLLOW, FOLLOW, "HOST:PORT[,...]", read_brokers},
    {"db", required_argument, FOLLOW | HOURS | WHY | TOTALS, FOLLOW | HOURS | WHY | TOTALS, "a file",
        read_database},
    {"topic-prefix", required_argument, FOLLOW, 0, "1 to 64 letters, digits, '.', '_' or '-'",
        read_topic_prefix},
    {"property", required_argument, FOLLOW, 0, "NAME=VALUE, at most 64 times", read_property},
    {"until-idle", required_argument, FOLLOW, 0, "a number of seconds", read_until_idle},
    {"look-every", required_argument, FOLLOW, 0, "a number of seconds", read_look_every},
    {"from-start", no_argument, FOLLOW, 0, NULL, read_from_start},
    {"accept-missing", no_argument, FOLLOW, 0, NULL, read_accept_missing},
    {"log-level", required_argument, FOLLOW, 0, "debug, info, warn or error", read_log_level},
    {"catalog", required_argument, HOURS | WHY, HOURS, "a file", read_catalog},
    {"passes", required_argument, HOURS, 0, "a file", read_passes},
    {"program", required_argument, WHY | TOTALS, 0, "a program's id", read_program},
    {"portal", required_argument, HOURS | WHY | TOTALS, WHY, "a portal's id", read_portal},
    {"learner", required_argument, HOURS | WHY | TOTALS, WHY, "a learner's id", read_learner},
    {"minute", required_argument, WHY, WHY, "Unix seconds or a time like 2023-01-05T16:00:00+08:00",
        read_minute},
    {"format", required_argument, HOURS | TOTALS, 0, "text, json or (hours only) csv", read_format},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

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
    list[n++] = (struct option){"help", no_argument, NULL, 'h'};
    list[n++] = (struct option){"version", no_argument, NULL, 'V'};
    list[n] = (struct option){0};
    while ((i = getopt_long(argc, argv, "Vh", list, NULL)) != -1) {
        if (i == 'h' || i == 'V') {
            fputs(i == 'h' ? commands[o->command].usage : "minuted-ledger " MINUTED_VERSION "\n", stdout);
            *status = EXIT_GOOD;
            return false;
        }
        if (i == '?')
            return complain(o->command);
        if (!rows[i].read(o, optarg)) {
            fprintf(stderr, "minuted-ledger: --%s %s: expected %s\n", rows[i].name, optarg, rows[i].expected);
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
        fprintf(stderr, "minuted-ledger %s: --%s is required\n", commands[o->command].name, rows[i].name);
        return complain(o->command);
    }
    return true;
}

bool ledger_options_parse(int argc, char **argv, struct ledger_options *options, enum exit_status *status)
{
    const char *name = argc > 1 ? argv[1] : "";
    *options = (struct ledger_options){.topic_prefix = "minuted",
        .until_idle_s = -1,
        .look_every_s = 60,
        .log_level = LOG_INFO,
        .minute = -1};
    *status = EXIT_USAGE;
    for (enum command c = 0; c < COMMAND_COUNT; c++) {
        if (strcmp(commands[c].name, name) != 0)
            continue;
        options->command = c;
        return parse_command(argc - 1, argv + 1, options, status);
    }
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (help || strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        fputs(help ? usage : "minuted-ledger " MINUTED_VERSION "\n", stdout);
        *status = EXIT_GOOD;
        return false;
    }
    if (argc > 1)
        fprintf(stderr, "minuted-ledger: there is no command '%s'\n", name);
    else
        fputs("minuted-ledger: a command is required\n", stderr);
    fputs("Try 'minuted-ledger --help'.\n", stderr);
    return false;
}
