/*
 * Learners of a load, for the tests of its verification: their runs went through the store into a real
 * redis-server, and what the outbox owes can be published to librdkafka's mock cluster as the publisher does
 * it. Each scene has learners and a mock cluster of its own; Redis is shared.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "load/verify.h"
#include "patience.h"
#include "publish/record.h"
#include "store_fixture.h"

enum {
    LEARNERS = 1100, /* more than Redis is asked for at once, in either partition */
    PARTITIONS = 2,
    MINUTES = 5,           /* in two buckets */
    WAIT_MS = PATIENCE_MS, /* where all comes to hand at once */
    SHORT_MS = 1000,       /* where something never comes; more on a machine that reads more slowly */
    NOBODY = -1,
    NAME_MAX_LEN = 47
};

/* Start of the evidence, Unix seconds: slot 7 of its bucket. */
#define BASE_S INT64_C(1675001220)

struct scene {
    struct fixture *redis;
    struct config config; /* of the verification */
    rd_kafka_t *handle;   /* the mock cluster needs one to live in */
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *producer;
    struct record_writer writer;
    char prefix[16];
    uint64_t masks[LEARNERS * MINUTES];
    struct evidence evidence;
    uint64_t accepted_s;
    int withheld; /* learner whose minutes are not published */
    struct verification v;
};

/* Redis on one server, for a group of scenes; cmocka's group fixtures. */
int scene_group_begin(void **state);
int scene_group_end(void **state);

/* A scene on the group's Redis; cmocka's fixtures. */
int scene_begin(void **state);
int scene_end(void **state);

/* A scene on REDIS, which is started; the learners have watched. */
struct scene *scene_new(struct fixture *redis);
void scene_free(struct scene *s);

/* Learner I watched seconds [start, start + length) of their lesson; learner 0 the first 30 s of the first
 * minute. */
int64_t scene_start_of(size_t i);
int64_t scene_length_of(size_t i);
void scene_name(const struct scene *s, size_t i, char name[static NAME_MAX_LEN + 1]);

/* Somebody else watches; all of it is credited. */
void scene_watch(struct scene *s, const char *learner, const char *lesson, int64_t start_s, int64_t length_s);

/* The name of a topic, which has another prefix than the default one. */
void scene_topic(const struct scene *s, enum record_kind kind, char name[static RECORD_TOPIC_MAX]);
/* Publishes what the outbox owes. */
void scene_publish(struct scene *s);
/* Publishes a record of either kind about the first minute. */
void scene_publish_mask(struct scene *s, size_t learner, const char *lesson, uint64_t mask);
void scene_publish_total(struct scene *s, size_t learner, const char *lesson, int64_t seconds);
void scene_publish_unreadable(struct scene *s, int64_t time_ms);

/* Verifies into `v`; what was expected is what was accepted. */
void scene_verify(struct scene *s, int64_t wait_ms);
/* The same where something never comes and so all the time is used up: until that has been enough to read the
 * rest. Returns how long it was. */
int64_t scene_verify_in_vain(struct scene *s);
/* It was judged so. */
void assert_verdict(const struct scene *s, uint64_t lost, uint64_t extra);
/* What each place lacks of what was accepted; negative: has too much. */
void assert_places(
    const struct scene *s, int64_t redis, int64_t redis_total, int64_t kafka, int64_t kafka_total);
/* It could not be judged, and says so with TEXT in it. */
void assert_problem(const struct scene *s, const char *text);

/* ---- making things wrong in Redis ---- */

/* A field of a hash. */
struct value {
    char key[128];
    char field[64];
    char bytes[512];
    size_t len;
};

struct redis_process *scene_node(const struct scene *s);
/* The masks of LEARNER in the bucket of the first minute, and their total. */
struct value scene_masks(const struct scene *s, size_t learner);
struct value scene_total(const struct scene *s, size_t learner);
/* Where the mask of minute SLOT of the first lesson in V begins. */
char *value_slot(struct value *v, int slot);
void scene_put(const struct scene *s, const struct value *v);
