/* The command line. */
#include "config/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: minuted [--config FILE] [--set KEY=VALUE]... [--dev]\n"
    "       minuted [--config FILE] [--set KEY=VALUE]... --check-config | --create-topics\n"
    "\n"
    "Counts the minutes that learners watch: heartbeats over HTTP, credited once in\n"
    "Redis, published to Kafka.\n"
    "\n"
    "  -c, --config FILE      read the configuration; config/minuted.yaml shows every key\n"
    "  -s, --set KEY=VALUE    override one key, such as http.listen=127.0.0.1:8081; the\n"
    "                         environment's MINUTED_HTTP_LISTEN does the same, below --set\n"
    "      --check-config     say whether configuration, catalog and keys are good, and exit\n"
    "      --create-topics    make the four Kafka topics with their policies, and exit\n"
    "      --dev              on loopback only: hand out platform tokens at /dev/token, show\n"
    "                         a page at /dev/, let /dev/clock be moved, allow\n"
    "                         kafka.brokers=embedded; needs a Redis that no\n"
    "                         daemon without --dev uses\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "SIGTERM drains: readiness first, then requests, then Kafka. SIGHUP reads catalog and\n"
    "keys again. Exit status: 0 good, 1 failed, 2 wrong usage.\n";

enum { OPT_CHECK = 256, OPT_TOPICS, OPT_DEV };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, 's'},
    {"check-config", no_argument, NULL, OPT_CHECK},
    {"create-topics", no_argument, NULL, OPT_TOPICS},
    {"dev", no_argument, NULL, OPT_DEV},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool add_override(struct options *options, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        fprintf(stderr, "minuted: --set %s: KEY=VALUE is wanted, such as http.listen=127.0.0.1:8081\n", text);
        return false;
    }
    if (options->n_overrides == OVERRIDES_MAX) {
        fprintf(stderr, "minuted: more than %d times --set: use a configuration file\n", OVERRIDES_MAX);
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
    }
}
