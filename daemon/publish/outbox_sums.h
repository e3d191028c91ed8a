/*
 * What a lesson's minute comes to over all learners, for the minutes whose sums grew.
 *
 *     outbox_grown -> outbox_sums -> (send, commit) -> outbox_settle_sums
 *
 * False as in outbox_minutes.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "publish/outbox.h"
#include "store/values.h"

/* The minutes of PARTITION whose lesson sums grew since they were published, newest first. */
bool outbox_grown(struct outbox *o, int partition, struct arena *arena, struct outbox_minutes *out)
    __attribute__((warn_unused_result));

/* A partition's part of a minute's sums, one entry a lesson. */
struct outbox_part {
    struct lesson_sum *sums;
    size_t n;
    bool unreadable; /* a sum, which stays as it is, and the minute in the list */
    bool lost;       /* all of it: then nothing of the minute can be told */
};

/*
 * The sums of MINUTE over every partition, of the lessons that grew since they were published. In the arena.
 * Empty where the minute is no longer listed as grown: another daemon has published all of it since.
 * outbox_all_sums() has those of all lessons, published or not, and none where a part may be retired already.
 */
struct outbox_sums {
    int64_t minute;
    struct lesson_sum *sums;
    size_t n;
    struct outbox_part *parts; /* by partition */
};

bool outbox_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
    __attribute__((warn_unused_result));
bool outbox_all_sums(struct outbox *o, int64_t minute, struct arena *arena, struct outbox_sums *out)
    __attribute__((warn_unused_result));

/*
 * After the commit: Redis notes what was published of each sum, and the minute leaves `ld` of each partition
 * whose sums did not grow meanwhile.
 */
bool outbox_settle_sums(struct outbox *o, const struct outbox_sums *sums) __attribute__((warn_unused_result));
