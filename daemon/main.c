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
#include "run/daemon.h"

static int fail(char *error)
{
    fprintf(stderr, "minuted: %s\n", error);
    free(error);
    return EXIT_FAILED;
}

/* A daemon with --dev makes its secret when it starts; to check the rest of the policy, any secret will do.
 */
static struct slice stand_in_secret(bool dev)
{
    static const char secret[32];
    return (struct slice){secret, dev ? sizeof(secret) : 0};
}

static int check_config(const struct config *config, bool dev)
{
    char *error = NULL;
    struct policy *policy = policy_load(config, stand_in_secret(dev), &error);
    if (policy == NULL)
        return fail(error);
    printf("%s: good; catalog %s: %zu courses\n", config->file == NULL ? "configuration" : config->file,
        policy->catalog->program, policy->catalog->n_courses);
    policy_unref(policy);
    return EXIT_GOOD;
}

static int create_topics(const struct config *config)
{
    char *error = NULL;
    if (strcmp(config->kafka.brokers, "embedded") == 0) {
        fputs("minuted: kafka.brokers is 'embedded', and the embedded broker makes its topics itself\n",
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

static int act(const struct options *options, struct config *config)
{
    switch (options->action) {
    case ACTION_CHECK_CONFIG:
        return check_config(config, options->dev);
    case ACTION_CREATE_TOPICS:
        return create_topics(config);
    default:
        return daemon_run(config, options);
    }
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
    int status = check_kafka(config, options.action == ACTION_CHECK_CONFIG, &error) ? act(&options, config)
                                                                                    : fail(error);
    config_free(config);
    return status;
}
