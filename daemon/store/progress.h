/*
 * Reading learners' totals, on connections of its own so that a burst of questions never delays a credit.
 * The store's own part; its users call store_progress().
 */
#pragma once

#include "store/layout.h"
#include "store/monitor.h"
#include "store/store.h"

struct progress;

struct progress *progress_new(
    struct event_base *base, struct monitor *monitor, struct log *log, struct store_counters *counters);

/* Connects to the servers of T where they are others than before. */
void progress_follow(struct progress *p, const struct topology *t);

/* DONE is called exactly once, from the loop. */
void progress_ask(struct progress *p, int partition, const struct key_prefix *prefix, struct slice portal,
    struct slice learner, store_progress_done *done, void *ctx);

size_t progress_pending(const struct progress *p);

/* Fails what is pending, then frees. */
void progress_free(struct progress *p);
