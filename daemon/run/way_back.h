/*
 * What the commands have in common that bring a deployment back after a loss, or on to the next program: they
 * read the configuration and the catalog as a daemon does, and speak to Redis while daemons run and players
 * send.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct config;
struct recall;
struct options;

struct way_back {
    const struct config *config; /* borrowed */
    struct clock clock;
    struct log *log;
    struct policy *policy;
    struct monitor *monitor;
    struct outbox *outbox;
};

/* False after an error was printed. way_back_close() follows in any case. */
bool way_back_open(struct way_back *w, const struct config *config, const struct options *options)
    __attribute__((warn_unused_result));
void way_back_close(struct way_back *w);

/* SIGINT and SIGTERM are noted from now on, instead of ending the process. Before any thread is started. */
void way_back_block_signals(void);
/* Whether one of them came. */
bool way_back_interrupted(void);

/* The evidence in the deployment's Kafka. NULL after an error was printed. */
struct recall *way_back_open_recall(struct way_back *w);

/* How this process names itself to others: TOKEN has at least 64 bytes. */
void way_back_name(char token[static 64]);
