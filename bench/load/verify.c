/*
 * Verification: each place is read into a holding, and each holding is compared with the evidence. Kafka
 * comes first: by the time it has it all, Redis has long come to rest.
 */
#include "load/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "credit/mask.h"
#include "load/verify_internal.h"

bool verify_refuse(struct verification *v, const char *format, ...)
{
    va_list args;
    if (v->problem[0] != '\0')
        return false;
    va_start(args, format);
    vsnprintf(v->problem, sizeof(v->problem), format, args);
    va_end(args);
    return false;
}

struct slice verify_learner_name(
    const struct evidence *evidence, size_t i, char name[static VERIFY_LEARNER_MAX + 1])
{
    int len = snprintf(name, VERIFY_LEARNER_MAX + 1, "%s%zu", evidence->prefix, i);
    return (struct slice){name, (size_t)len};
}

static uint64_t count_accepted(const struct evidence *e)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_learners * e->n_minutes; i++)
        sum += mask_count(e->masks[i]);
    return sum;
}

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

static bool judge(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v)
{
    if (strcmp(config->kafka.brokers, "embedded") == 0)
        return verify_refuse(v, "kafka.brokers: the embedded broker keeps only the last 5 MB of a partition: "
                                "give a real one");
    struct topology *servers = mem_zalloc(sizeof(*servers));
    bool judged = verify_find_redis(config, servers, v) && judge_kafka(config, evidence, wait_ms, v) &&
                  judge_redis(config, servers, evidence, v);
    free(servers);
    return judged;
}

void verify(
    const struct config *config, const struct evidence *evidence, int64_t wait_ms, struct verification *v)
{
    *v = (struct verification){.asked = true, .expected_s = count_accepted(evidence)};
    if (judge(config, evidence, wait_ms, v))
        return;
    v->lost_s = 0; /* of what was read until then: no verdict */
    v->extra_s = 0;
}
