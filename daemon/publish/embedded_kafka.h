/* A Kafka broker inside this process, for --dev: it speaks the real protocol and keeps nothing on disk. */
#pragma once

#include "base/log.h"

struct embedded_kafka;

/* Starts it and makes the topics, whose names begin with PREFIX. NULL with *ERROR set (to be freed) on
 * failure. */
struct embedded_kafka *embedded_kafka_start(const char *prefix, struct log *log, char **error);
/* "127.0.0.1:port" */
const char *embedded_kafka_brokers(const struct embedded_kafka *k);
void embedded_kafka_stop(struct embedded_kafka *k);
