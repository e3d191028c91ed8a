/* The command line. */
#include "config/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: minuted [--config FILE] [--set KEY=VALUE]... [--dev]\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... [--dev] --check-config\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... --create-topics\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... [--dev] --republish\n"
    "               [--to-new-kafka]\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... [--dev] --begin-program\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... [--dev] --rebuild\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... [--dev] --lower-floor\n"
    "\n"
    "minuted counts the minutes that learners watch. Players send it heartbeats over\n"
    "HTTP, it credits each second once in Redis, and it publishes the sums to Kafka.\n"
    "\n"
    "Options:\n"
    "  -c, --config FILE      read the configuration from FILE; config/minuted.yaml\n"
    "                         describes every key\n"
    "  -s, --set KEY=VALUE    set one key, such as http.listen=127.0.0.1:8081; may be\n"
    "                         repeated; overrides the environment, where the same key\n"
    "                         is MINUTED_HTTP_LISTEN, which overrides FILE\n"
    "      --check-config     check the configuration, the catalog and the keys, then\n"
    "                         exit\n"
    "      --create-topics    create the Kafka topics with their policies, then exit\n"
    "      --republish        for a Kafka that has lost topics: have the daemon that\n"
    "                         publishes send again all that Redis holds, every total and\n"
    "                         the evidence since heartbeats.horizon. Heartbeats and\n"
    "                         publishing go on. This command shows the progress and waits;\n"
    "                         if it is interrupted, the daemon goes on, and the command may\n"
    "                         be run again to wait for it\n"
    "      --to-new-kafka     with --republish: the deployment publishes to the Kafka\n"
    "                         cluster and the topics of this configuration from now on;\n"
    "                         daemons that are configured with others stand by\n"
    "      --begin-program    make room for the program of this catalog: when the one\n"
    "                         before is over and Kafka has all of it, its totals are\n"
    "                         deleted from Redis, and daemons of this one begin at 0;\n"
    "                         otherwise it says why not and changes nothing; if it is\n"
    "                         interrupted, it must be run again to go on\n"
    "      --rebuild          for a Redis that has lost what it held, which the daemon\n"
    "                         that publishes has noticed: put back what the topics have\n"
    "                         of it. Heartbeats go on. It shows its progress; if it is\n"
    "                         interrupted, run it again, and it goes on where it was\n"
    "      --lower-floor      for minutes that a wrong clock has closed: let them be\n"
    "                         claimed again, as far back as heartbeats.horizon, after\n"
    "                         their evidence was put back from the topics\n"
    "      --dev              run for development, on loopback addresses only: give\n"
    "                         out platform tokens at /dev/token, serve a page at /dev/,\n"
    "                         let /dev/clock move the clock, and allow\n"
    "                         kafka.brokers=embedded; no daemon without --dev may use\n"
    "                         the same Redis\n"
    "  -V, --version          print the version and exit\n"
    "  -h, --help             print this help and exit\n"
    "\n"
    "Signals:\n"
    "  SIGTERM, SIGINT        stop: report not ready, finish the requests under way,\n"
    "                         then publish what is due; a second signal ends the\n"
    "                         process at once\n"
    "  SIGHUP                 read the catalog, the keys of tokens and the log level\n"
    "                         again\n"
    "\n"
    "Exit status:\n"
    "  0  success\n"
    "  1  failure\n"
    "  2  wrong usage\n"
    "\n"
    "Examples:\n"
    "  minuted --config /etc/minuted/minuted.yaml --check-config\n"
    "  minuted --config /etc/minuted/minuted.yaml --set log.level=debug\n";

enum {
    OPT_CHECK = 256,
    OPT_TOPICS,
    OPT_REPUBLISH,
    OPT_NEW_KAFKA,
    OPT_BEGIN_PROGRAM,
    OPT_REBUILD,
    OPT_LOWER_FLOOR,
    OPT_DEV
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, 's'},
    {"check-config", no_argument, NULL, OPT_CHECK},
    {"create-topics", no_argument, NULL, OPT_TOPICS},
    {"republish", no_argument, NULL, OPT_REPUBLISH},
    {"to-new-kafka", no_argument, NULL, OPT_NEW_KAFKA},
    {"begin-program", no_argument, NULL, OPT_BEGIN_PROGRAM},
    {"rebuild", no_argument, NULL, OPT_REBUILD},
    {"lower-floor", no_argument, NULL, OPT_LOWER_FLOOR},
    {"dev", no_argument, NULL, OPT_DEV},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool add_override(struct options *options, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        fprintf(stderr, "minuted: --set %s: expected KEY=VALUE, such as http.listen=127.0.0.1:8081\n", text);
        return false;
    }
    if (options->n_overrides == OVERRIDES_MAX) {
        fprintf(
            stderr, "minuted: --set is given more than %d times; use a configuration file\n", OVERRIDES_MAX);
        return false;
    }
    *equals = '\0';
    options->overrides[options->n_overrides++] = (struct config_override){text, equals + 1};
    return true;
}

void options_parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.action = ACTION_RUN};
    int option;
    while ((option = getopt_long(argc, argv, "c:s:Vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'V':
        case 'h':
            fputs(option == 'V' ? "minuted " MINUTED_VERSION "\n" : usage, stdout);
            options->action = ACTION_EXIT_GOOD;
            return;
        case 'c':
            options->config_file = optarg;
            break;
        case 's':
            if (!add_override(options, optarg)) {
                options->action = ACTION_EXIT_USAGE;
                return;
            }
            break;
        case OPT_CHECK:
            options->action = ACTION_CHECK_CONFIG;
            break;
        case OPT_TOPICS:
            options->action = ACTION_CREATE_TOPICS;
            break;
        case OPT_REPUBLISH:
            options->action = ACTION_REPUBLISH;
            break;
        case OPT_BEGIN_PROGRAM:
            options->action = ACTION_BEGIN_PROGRAM;
            break;
        case OPT_NEW_KAFKA:
            options->to_new_kafka = true;
            break;
        case OPT_REBUILD:
            options->action = ACTION_REBUILD;
            break;
        case OPT_LOWER_FLOOR:
            options->action = ACTION_LOWER_FLOOR;
            break;
        case OPT_DEV:
            options->dev = true;
            break;
        default:
            fputs("Try 'minuted --help'.\n", stderr);
            options->action = ACTION_EXIT_USAGE;
            return;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "minuted: unexpected argument '%s'\nTry 'minuted --help'.\n", argv[optind]);
        options->action = ACTION_EXIT_USAGE;
    } else if (options->to_new_kafka && options->action != ACTION_REPUBLISH) {
        fputs("minuted: --to-new-kafka goes with --republish\nTry 'minuted --help'.\n", stderr);
        options->action = ACTION_EXIT_USAGE;
    }
}
