/*
 * Verification: each place is read into a holding, and each holding is compared with the evidence. Kafka
 * comes first: by the time it has it all, Redis has long come to rest.
 */
#include "load/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load/holding.h"
#include "load/verify_kafka.h"
#include "load/verify_redis.h"
#include "redis/topology.h"

static void add_differences(struct verification *v, const struct holding_sums *sums)
{
    v->lost_s += sums->lost_s;
    v->extra_s += sums->extra_s;
}

static bool judge_kafka(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v)
{
    int64_t start_us = clock_monotonic_us();
    struct holding *holding = holding_new(evidence);
    bool judged = verify_read_kafka(config, evidence, clock_monotonic_ms() + wait_ms, holding, v);
    v->waited_us = clock_monotonic_us() - start_us;
    struct holding_sums sums = holding_sum(holding);
    holding_free(holding);
    v->kafka_s = sums.held_s;
    v->kafka_total_s = sums.total_s;
    add_differences(v, &sums);
    return judged;
}

static bool judge_redis(const struct config *config, const struct topology *servers,
    const struct evidence *evidence, struct verification *v)
{
    struct holding *holding = holding_new(evidence);
    bool judged = verify_read_redis(config, servers, evidence, holding, v);
    struct holding_sums sums = holding_sum(holding);
    holding_free(holding);
    v->redis_s = sums.held_s;
    v->redis_total_s = sums.total_s;
    add_differences(v, &sums);
    return judged;
}

void verify(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v)
{
    *v = (struct verification){.asked = true, .expected_s = evidence_seconds_of_all(evidence)};
    if (strcmp(config->kafka.brokers, "embedded") == 0) {
        verification_refuse(v, "kafka.brokers: a real Kafka is needed, since the embedded broker keeps only "
                               "the last 5 MB of each partition");
        return;
    }
    struct topology *servers = topology_new();
    bool judged = verify_find_redis(config, servers, v) && judge_kafka(config, evidence, wait_ms, v) &&
                  judge_redis(config, servers, evidence, v);
    topology_unref(servers);
    if (!judged) {
        v->lost_s = 0; /* what was read until then is no verdict */
        v->extra_s = 0;
    }
}
