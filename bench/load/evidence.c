/* Which seconds of which learner were accepted. */
#include "load/evidence.h"

#include <assert.h>
#include <stdio.h>

#include "credit/mask.h"

enum { DIGITS_MAX = 18 /* of an index: more could overflow it */ };

struct slice evidence_learner(const struct evidence *e, size_t i, char name[static EVIDENCE_LEARNER_MAX + 1])
{
    int len = snprintf(name, EVIDENCE_LEARNER_MAX + 1, "%s%zu", e->prefix, i);
    assert(len > 0 && len <= EVIDENCE_LEARNER_MAX);
    return (struct slice){name, (size_t)len};
}

bool evidence_find_learner(const struct evidence *e, struct slice portal, struct slice id, size_t *index)
{
    size_t prefix = strlen(e->prefix);
    if (!slice_is(portal, e->portal) || id.len <= prefix || id.len > prefix + DIGITS_MAX ||
        memcmp(id.ptr, e->prefix, prefix) != 0)
        return false;
    *index = 0;
    for (size_t i = prefix; i < id.len; i++) {
        if (id.ptr[i] < '0' || id.ptr[i] > '9')
            return false;
        *index = *index * 10 + (size_t)(id.ptr[i] - '0');
    }
    bool leading_zero = id.ptr[prefix] == '0' && id.len > prefix + 1;
    return *index < e->n_learners && !leading_zero;
}

const char *evidence_lesson(const struct evidence *e, size_t learner)
{
    return e->lessons[learner % e->n_lessons];
}

const uint64_t *evidence_masks(const struct evidence *e, size_t learner)
{
    assert(learner < e->n_learners);
    return e->masks + learner * e->n_minutes;
}

int64_t evidence_seconds(const struct evidence *e, size_t learner)
{
    const uint64_t *masks = evidence_masks(e, learner);
    int64_t sum = 0;
    for (size_t i = 0; i < e->n_minutes; i++)
        sum += mask_count(masks[i]);
    return sum;
}

uint64_t evidence_seconds_of_all(const struct evidence *e)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_learners; i++)
        sum += (uint64_t)evidence_seconds(e, i);
    return sum;
}
