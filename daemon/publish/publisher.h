/*
 * Publishing what Redis holds to Kafka: one thread, one transactional producer, while this daemon holds
 * the deployment's lease.
 *
 *     hold the lease -> connect, if it is the deployment's Kafka -> [ a round of publishing (publish_loop.h)
 * ] …
 *
 * Nothing is ever re-sent from memory: after an abort, a fatal or a fenced error the producer is closed, a
 * new one is made, and what is unsettled is taken again.
 */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "publish/counters.h"

struct config;
struct monitor;
struct publisher;

/*
 * Starts the thread. BROKERS is kafka.brokers or the embedded one's. HOLDER, copied, names this daemon in the
 * lease. Borrows the rest until publisher_stop(). A broker that cannot be reached or a missing topic is
 * logged by name and tried again; it never keeps the daemon from accepting.
 */
struct publisher *publisher_start(const struct config *config, const char *program, const char *brokers,
    const char *holder, struct monitor *monitor, const struct clock *clock, struct log *log);

const struct publish_counters *publisher_counters(const struct publisher *p);

/* Whether this daemon publishes, stands by, or why it cannot: copied into TEXT, for /readyz?verbose. */
void publisher_describe(struct publisher *p, char text[static 256]);

/*
 * Stops the thread: finishes the transaction in hand, publishes what is due once more, gives up the lease;
 * all within DEADLINE_MS, then lets go. What is unsettled stays dirty in Redis for the next publisher.
 */
void publisher_stop(struct publisher *p, int64_t deadline_ms);
