/* minuted: from the command line to a running daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"
#include "config/problems.h"
#include "identity/policy.h"
#include "publish/kafka_check.h"
#include "publish/topics.h"
#include "redis/tls.h"
#include "run/begin_command.h"
#include "run/daemon.h"
#include "run/lower_floor_command.h"
#include "run/rebuild_command.h"
#include "run/republish_command.h"

static int fail(char *error)
{
    fprintf(stderr, "minuted: %s\n", error);
    free(error);
    return EXIT_FAILED;
}

static int check_config(const struct config *config, bool dev)
{
    /* A daemon with --dev makes its secret when it starts; any other will do to check the rest. */
    static const char stand_in[32];
    struct slice secret = {stand_in, dev ? sizeof(stand_in) : 0};
    char *error = NULL;
    struct policy *policy = policy_load(config, secret, &error);
    if (policy == NULL)
        return fail(error);
    printf("%s is valid; catalog %s has %zu courses\n", config->file == NULL ? "configuration" : config->file,
        policy->catalog->program, policy->catalog->n_courses);
    policy_unref(policy);
    return EXIT_GOOD;
}

static int create_topics(const struct config *config)
{
    char *error = NULL;
    if (strcmp(config->kafka.brokers, "embedded") == 0) {
        fputs("minuted: kafka.brokers is 'embedded', and the embedded broker creates its topics itself\n",
            stderr);
        return EXIT_FAILED;
    }
    return topics_create(config, config->kafka.brokers, &error) ? EXIT_GOOD : fail(error);
}

/* No action begins with properties of librdkafka that cannot work. */
static bool check_kafka(const struct config *config, bool tell_notes, char **error)
{
    struct problems problems = {0};
    struct problems notes = {0};
    bool good = kafka_check_properties(config, &problems, &notes);
    char *text = problems_take(&notes);
    if (text != NULL && good && tell_notes)
        printf("%s\n", text);
    free(text);
    *error = problems_take(&problems);
    return good;
}

/* The same for TLS to Redis, which what this makes is for. */
static bool open_tls(struct config *config, char **error)
{
    struct problems problems = {0};
    bool good = tls_new(config, &problems, &config->redis.login.tls);
    *error = problems_take(&problems);
    return good;
}

int main(int argc, char **argv)
{
    struct options options;
    options_parse(argc, argv, &options);
    if (options.action == ACTION_EXIT_GOOD)
        return EXIT_GOOD;
    if (options.action == ACTION_EXIT_USAGE)
        return EXIT_USAGE;
    char *error = NULL;
    struct config *config = config_load(
        options.config_file, environ, options.overrides, options.n_overrides, options.dev, &error);
    if (config == NULL)
        return fail(error);
    int status;
    if (!open_tls(config, &error) || !check_kafka(config, options.action == ACTION_CHECK_CONFIG, &error))
        status = fail(error);
    else if (options.action == ACTION_CHECK_CONFIG)
        status = check_config(config, options.dev);
    else if (options.action == ACTION_CREATE_TOPICS)
        status = create_topics(config);
    else if (options.action == ACTION_REPUBLISH)
        status = republish_command(config, &options);
    else if (options.action == ACTION_BEGIN_PROGRAM)
        status = begin_command(config, &options);
    else if (options.action == ACTION_REBUILD)
        status = rebuild_command(config, &options);
    else if (options.action == ACTION_LOWER_FLOOR)
        status = lower_floor_command(config, &options);
    else
        status = daemon_run(config, &options);
    tls_free(config->redis.login.tls);
    config_free(config);
    return status;
}
