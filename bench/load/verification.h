/*
 * Whether what came out is what was accepted. Each accepted second must be in four places: in the masks and
 * the totals of Redis, and in the merged minutes and the totals of Kafka. `lost_s` and `extra_s` are summed
 * over the four, so a second that is nowhere is lost four times. Both are 0 if there is a problem, since
 * nothing was judged then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct verification {
    bool asked;
    char problem[256];      /* why it could not be judged; "" when it was */
    uint64_t expected_s;    /* seconds that were accepted, each once */
    uint64_t redis_s;       /* of them, what the masks in Redis hold */
    uint64_t redis_total_s; /* the sum of Redis's totals of these learners, of all their lessons */
    uint64_t kafka_s;       /* of them, what the merged records of the learners' minutes hold */
    uint64_t kafka_total_s; /* the sum of the greatest totals in learner-lessons, of all their lessons */
    /*
     * Accepted, but missing in a place. Also what the last total of a key in learner-lessons lacks of the
     * greatest one: it is lost to a consumer that upserts.
     */
    uint64_t lost_s;
    /* Held by a place, but never accepted: another second, or the same one in another lesson. */
    uint64_t extra_s;
    int64_t waited_us; /* from the last answer until Kafka had been read completely, or was given up */
};

/* Says in `problem` why V cannot be judged, unless an earlier reason stands there. Returns false. */
bool verification_refuse(struct verification *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
