/*
 * Which seconds of which learner were accepted: a word of 60 bits for each learner and minute, as the players
 * learned them from the answers. Each simulated learner watches one lesson. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct evidence {
    const char *program;
    const char *portal;
    const char *prefix; /* learner I is "<prefix><I>" in decimal; nobody else's id begins like this */
    size_t n_learners;
    int64_t first_minute; /* Unix minutes (seconds / 60) */
    size_t n_minutes;
    uint64_t *masks; /* [learner * n_minutes + minute - first_minute] */
    /* lesson of learner I is lessons[I % n_lessons] */
    const char *const *lessons;
    size_t n_lessons;
};

enum { EVIDENCE_LEARNER_MAX = 128 };

/* The id of learner I, written into NAME, in which the result lives. */
struct slice evidence_learner(const struct evidence *e, size_t i, char name[static EVIDENCE_LEARNER_MAX + 1]);
/* The index of the learner whose id is ID into *INDEX; false when it is nobody of the evidence. */
bool evidence_find_learner(const struct evidence *e, struct slice portal, struct slice id, size_t *index)
    __attribute__((warn_unused_result));

const char *evidence_lesson(const struct evidence *e, size_t learner);

/* The accepted masks of LEARNER, one for each of the evidence's minutes. */
const uint64_t *evidence_masks(const struct evidence *e, size_t learner);

/* How many seconds were accepted, of LEARNER and of all learners. */
int64_t evidence_seconds(const struct evidence *e, size_t learner);
uint64_t evidence_seconds_of_all(const struct evidence *e);
