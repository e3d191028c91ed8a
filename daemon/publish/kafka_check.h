/* Whether `kafka.properties` can work, found out before anything depends on it. */
#pragma once

#include <stdbool.h>

struct config;
struct problems;

/*
 * Whether librdkafka accepts kafka.properties, each by itself and all together, for the producer that
 * publishes; no broker is asked. What is wrong goes to PROBLEMS, where it was given and in librdkafka's
 * words; what librdkafka only warns of goes to NOTES. Values that came from files of their own are in
 * neither.
 */
bool kafka_check_properties(const struct config *config, struct problems *problems, struct problems *notes)
    __attribute__((warn_unused_result));
