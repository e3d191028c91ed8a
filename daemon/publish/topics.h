/* The topics that this daemon publishes to. */
#pragma once

#include <stdbool.h>

struct config;

/*
 * Makes the four topics, whose names begin with `kafka.topic_prefix`, with their policies on BROKERS where
 * they are missing (--create-topics). Existing ones are left as they are. Prints one line per topic to
 * standard output. False with *ERROR set on failure.
 */
bool topics_create(const struct config *config, const char *brokers, char **error)
    __attribute__((warn_unused_result));
