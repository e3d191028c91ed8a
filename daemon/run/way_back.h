/*
 * What the commands have in common that bring a deployment back after a loss, or on to the next program: they
 * read the configuration and the catalog as a daemon does, and speak to Redis while daemons run and players
 * send.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct config;
struct options;
struct recall;
struct recall_terms;
struct restore;
struct restore_state;

struct way_back {
    const struct config *config; /* borrowed */
    struct clock clock;
    struct log *log;
    struct policy *policy;
    struct monitor *monitor;
    struct outbox *outbox;
    int64_t told_ms; /* monotonic; when it was last told how far a pass is */
};

/* False after an error was printed. way_back_close() follows in any case. */
bool way_back_open(struct way_back *w, const struct config *config, const struct options *options)
    __attribute__((warn_unused_result));
void way_back_close(struct way_back *w);

/*
 * SIGINT and SIGTERM are noted from now on, instead of ending the process. To be called before any thread is
 * started, so before way_back_open().
 */
void way_back_block_signals(void);
/* Whether one of them came. */
bool way_back_interrupted(void);

/* Prints WHY it ends before its end; "": a signal has ended it. False. */
bool way_back_fail(const char *why);

/* ---- passes over the evidence ---- */

/* Of the evidence of one pass, as a rule. */
#define WAY_BACK_MEMORY (INT64_C(1) << 30)

/* The evidence in the deployment's Kafka. NULL after an error was printed. */
struct recall *way_back_open_recall(struct way_back *w);

/*
 * A pass: reads what TERMS ask for, and then merges it into the partitions, STATES; FLOOR as in restore.h.
 * Each tells about once a second how far it is. False after an error was printed, also when a signal came.
 */
bool way_back_read(struct way_back *w, struct recall *recall, const struct recall_terms *terms)
    __attribute__((warn_unused_result));
bool way_back_restore(struct way_back *w, struct recall *recall, const struct recall_terms *terms,
    struct restore *restore, const struct restore_state *states, bool floor)
    __attribute__((warn_unused_result));

/* For a restore_go_on: false once a signal has come. CTX is unused. */
bool way_back_goes_on(void *ctx);

/* How this process names itself to others: TOKEN has at least 64 bytes. */
void way_back_name(char token[static 64]);
