/*
 * What a place (Redis, or Kafka) was found to hold of the evidence's learners, and how it differs from what
 * was accepted. Values may come in any order and again: masks are merged by OR, of totals the greatest and
 * the last count. Memory is that of the evidence once more, and grows beyond it only with what is wrong.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "load/evidence.h"

struct holding;

/* Borrows the evidence until holding_free(). */
struct holding *holding_new(const struct evidence *evidence);
void holding_free(struct holding *h);

/* MASK of MINUTE (Unix seconds / 60) in LESSON, whether it is the learner's or not. */
void holding_take_mask(struct holding *h, size_t learner, struct slice lesson, int64_t minute, uint64_t mask);
/* All that LEARNER has watched of LESSON. */
void holding_take_total(struct holding *h, size_t learner, struct slice lesson, int64_t seconds);

/* Whether nothing that was accepted is missing any more, in masks and in totals. */
bool holding_complete(const struct holding *h);

struct holding_sums {
    uint64_t held_s;  /* accepted seconds that the masks hold */
    uint64_t total_s; /* the greatest totals of all learners and lessons */
    uint64_t lost_s;  /* as in struct verification, of this place */
    uint64_t extra_s;
};

struct holding_sums holding_sum(const struct holding *h);
