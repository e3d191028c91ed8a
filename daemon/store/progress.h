/*
 * Reading learners' totals and minutes, on connections of its own so that a burst of questions never delays a
 * credit. The store's own part: others call store_progress() and store_minutes(), and take the types from
 * here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "redis/resp.h"
#include "redis/topology.h"
#include "store/counters.h"
#include "store/values.h"

struct event_base;
struct monitor;
struct progress;

/* OK false: Redis could not answer. LESSONS live only during the call. */
typedef void store_progress_done(void *ctx, bool ok, const struct lesson_total *lessons, size_t n);

/* OK false: Redis could not answer. MINUTES, oldest first, live only during the call. */
typedef void store_minutes_done(void *ctx, bool ok, const struct store_minute *minutes, size_t n);

struct progress *progress_new(
    struct event_base *base, struct monitor *monitor, struct log *log, struct store_counters *counters);

/* Goes on with T, which is different by CHANGE from the one that was followed before. */
void progress_follow(struct progress *p, struct topology *t, enum topology_change change);

/* Whom a question is about. */
struct progress_subject {
    int partition;
    const struct key_prefix *prefix;
    struct slice portal;
    struct slice learner;
};

/* DONE is called exactly once, from the loop. */
void progress_ask_totals(
    struct progress *p, const struct progress_subject *subject, store_progress_done *done, void *ctx);
void progress_ask_minutes(struct progress *p, const struct progress_subject *subject, int64_t bucket,
    store_minutes_done *done, void *ctx);

size_t progress_pending(const struct progress *p);

/* Fails what is pending, then frees. */
void progress_free(struct progress *p);
