/*
 * Where a deployment publishes: Kafka's cluster, and the prefix of its topics. Whoever publishes first on a
 * Redis writes both into `minuted:settings`. What is settled in Redis is in that Kafka alone, so a daemon
 * that would publish elsewhere must not publish at all: its consumers would miss what came before, and those
 * of the right Kafka what comes now.
 */
#pragma once

#include <stdbool.h>

struct config;
struct outbox;

enum { DESTINATION_WHY_MAX = 280 };

struct destination {
    const char *topic_prefix;
    const char *cluster; /* Kafka's cluster id; "": it has none, or is not to be compared */
};

/*
 * Whether CONFIG's Kafka is the embedded broker, which is another one at each start. It keeps nothing that
 * the next start could lack.
 */
bool destination_embedded(const struct config *config);

/* The destination that CONFIG leads to, in a Kafka of the id CLUSTER; an embedded one's id is left out. */
struct destination destination_of(const struct config *config, const char *cluster);

enum destination_look {
    DESTINATION_OURS,    /* the deployment's, or it has none yet */
    DESTINATION_ANOTHER, /* WHY names both, and what to do */
    DESTINATION_UNKNOWN  /* Redis did not tell, or did not keep it durably */
};

/* Makes D the deployment's, whatever was before. False when Redis did not keep it durably. */
bool destination_move(struct outbox *o, const struct destination *d) __attribute__((warn_unused_result));

/* Compares D with the deployment's. CLAIM: what the deployment does not have yet becomes D's. */
enum destination_look destination_compare(struct outbox *o, const struct destination *d, bool claim,
    char why[static DESTINATION_WHY_MAX]) __attribute__((warn_unused_result));
