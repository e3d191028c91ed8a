/* The topics that this daemon publishes to. */
#pragma once

#include <stdbool.h>

struct config;

#define TOPIC_LEARNER_LESSONS "minuted.learner-lessons"
#define TOPIC_LEARNER_MINUTES "minuted.learner-minutes"
#define TOPIC_LESSON_MINUTES "minuted.lesson-minutes"
#define TOPIC_WATERMARKS "minuted.watermarks"

/*
 * Makes the four topics with their policies on BROKERS where they are missing (--create-topics). Existing
 * ones are left as they are. Prints one line per topic to standard output. False with *ERROR set on failure.
 */
bool topics_create(const struct config *config, const char *brokers, char **error)
    __attribute__((warn_unused_result));
