/*
 * A worker: one thread with an event loop, listeners, Redis connections and an api of its own. Workers share
 * only what is immutable, and the places for connections.
 */
#pragma once

#include "api/api.h"
#include "http/http.h"
#include "store/store.h"

struct worker;

struct worker_settings {
    const struct config *config;
    const struct clock *clock;
    struct monitor *monitor;
    const struct api_dev *dev; /* NULL without --dev */
    struct log *log;
    int max_connections; /* of all workers together */
    struct http_places *places;
};

/* Takes the N listening sockets in FDS and a reference to POLICY; the rest is borrowed until worker_stop().
 */
struct worker *worker_start(
    const struct worker_settings *settings, struct policy *policy, const int *fds, size_t n);

/* Puts a new policy in force, soon. Any thread. */
void worker_set_policy(struct worker *w, struct policy *policy);

/*
 * Makes the worker stop accepting and answer what is under way. Its thread ends when all is answered, and
 * after DEADLINE_MS (more than 0) at the latest. Any thread.
 */
void worker_drain(struct worker *w, int64_t deadline_ms);

/* Whether the thread has ended, or is about to. Any thread. */
bool worker_ended(const struct worker *w);

/* Waits for the thread to end and frees. Call worker_drain() before. */
void worker_stop(struct worker *w);

const struct http_counters *worker_http_counters(const struct worker *w);
const struct api_counters *worker_api_counters(const struct worker *w);
const struct store_counters *worker_store_counters(const struct worker *w);
