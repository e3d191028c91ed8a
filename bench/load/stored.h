/*
 * What Redis stores of a learner, decoded for the verification by the forms that daemon/store/functions.lua
 * documents. None of the daemon's own decoders is called: a verification that shared their mistakes would
 * prove nothing. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { STORED_MINUTES = 10 /* of a bucket: w:<bucket> holds minutes 10 * bucket to 10 * bucket + 9 */ };

/* One lesson in a value of w:<bucket>. */
struct stored_lesson {
    struct slice id; /* lives in the value */
    uint64_t masks[STORED_MINUTES];
};

/*
 * Reads a value of w:<bucket>: stored_masks() leaves in *LESSONS what follows the format byte, and each
 * stored_next_lesson() takes one lesson from there, until *LESSONS is empty. False when the value is
 * malformed.
 */
bool stored_masks(struct slice value, struct slice *lessons) __attribute__((warn_unused_result));
bool stored_next_lesson(struct slice *lessons, struct stored_lesson *lesson)
    __attribute__((warn_unused_result));

/* Reads the watched seconds of a value of t:<learner>. False when any part of the value is malformed. */
bool stored_total(struct slice value, int64_t *watched_seconds) __attribute__((warn_unused_result));
