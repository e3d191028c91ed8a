/*
 * What the tests of retiring compare with: whose every second ever was, as plain sets that forget nothing;
 * and what a consumer of the published records has.
 */
#pragma once

#include "credit/mask.h"
#include "store/values.h"
#include "store_fixture.h"

enum {
    RETIRE_DAEMONS = 2,
    RETIRE_PARTITIONS = 4,
    RETIRE_LEARNERS = 6,
    RETIRE_LESSONS = 3,
    RETIRE_MINUTES = 40 * 60,
    RETIRE_SECONDS = RETIRE_MINUTES * MINUTE_SECONDS,
    RETIRE_BASE_S = 1675000800, /* a round ten minutes in 2023: the second 0 of the model */
    RETIRE_MANY = 100000,
    HOUR_MS = 3600 * 1000,
    MINUTE_MS = 60 * 1000
};

extern const char *const retire_learner_names[RETIRE_LEARNERS];
extern const char *const retire_lesson_names[RETIRE_LESSONS];
int retire_learner_index(struct slice name);
int retire_lesson_index(struct slice name);

struct retire_model {
    signed char owner[RETIRE_LEARNERS][RETIRE_SECONDS]; /* lesson that ever got the second, -1: none */
    uint64_t published[RETIRE_LEARNERS][RETIRE_LESSONS][RETIRE_MINUTES];
    int64_t seconds_published[RETIRE_LESSONS][RETIRE_MINUTES];
    int64_t learners_published[RETIRE_LESSONS][RETIRE_MINUTES];
    int64_t floor[RETIRE_PARTITIONS]; /* the highest seen */
    int64_t horizon;                  /* the latest seen, in minutes */
};

struct retire_expected {
    unsigned credited, duplicate, contested, late;
};

/* Freed with free(). */
struct retire_model *retire_model_new(void);

/* Gives out the seconds of RUN from FIRST_MINUTE on; what its answer must be. */
struct retire_expected retire_model_credit(
    struct retire_model *m, int learner, int lesson, const struct store_run *run, int64_t first_minute);

/* The floor of a partition, in minutes; -1: it has none. */
int64_t retire_floor_of(struct fixture *f, int partition);

/* No floor has fallen, and nothing that is not settled lies below one until an hour behind the horizon. */
void retire_check_floors(struct fixture *f, struct retire_model *m);

/* What the publisher does, each value compared with the model; SETTLE false: it is interrupted after the
 * commit. */
void retire_note_learner(struct retire_model *m, const struct learner_masks *taken, int64_t minute);
void retire_note_sum(struct retire_model *m, const struct lesson_sum *sum, int64_t minute);
void retire_publish_minutes(struct fixture *f, struct retire_model *m, int partition, bool settle);
void retire_publish_sums(struct fixture *f, struct retire_model *m, int partition, bool settle);
void retire_publish_all(struct fixture *f, struct retire_model *m);

/* The consumer has every second that was ever credited, and every sum. */
void retire_check_consumer(const struct retire_model *m);

/* Two daemons on one server, which is the first one's; their clocks stand half a minute past a full one. */
struct retire_pair {
    struct fixture *daemons[RETIRE_DAEMONS];
};
struct retire_pair *retire_pair_new(void);
void retire_pair_free(struct retire_pair *pair);

struct store_run retire_run(int learner, int lesson, int64_t start_s, int64_t length_s);

/* The first minute that the daemon's clock lets be claimed. */
int64_t retire_horizon_minute(struct fixture *f);

/* Puts a weight into BUCKET of each partition, so that giving it up frees memory that matters. */
void retire_weigh_bucket(struct fixture *f, int64_t bucket);

/* One call of outbox_retire() at the daemon's time; the lowest floor. */
int64_t retire_some(struct fixture *f);

/* Makes the server look full to the retiring, but not to `apply`; or ends that. */
void retire_set_memory_short(struct fixture *f, bool is_short);
