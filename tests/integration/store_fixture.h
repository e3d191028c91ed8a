/*
 * One daemon's way into Redis, for tests against real servers: configuration, clock, monitor, store and
 * outbox, and the servers that it started. A second fixture may be started on the servers of a first one.
 */
#pragma once

#include <event2/event.h>

#include "base/clock.h"
#include "config/config.h"
#include "patience.h"
#include "publish/outbox_minutes.h"
#include "redis/monitor.h"
#include "redis_process.h"
#include "store/store.h"

enum { FIXTURE_NODES = 3 };

struct fixture {
    struct redis_process nodes[FIXTURE_NODES];
    int n_nodes;
    struct endpoint endpoint; /* that the daemon is configured with */
    struct config config;
    const char *program;
    struct clock clock;
    struct log *log;
    struct event_base *base;
    int64_t told_ms; /* when it was last said that something is asked again */
    struct monitor *monitor;
    struct store *store;
    struct outbox *outbox;
};

/* Of the deployment "winter" and the program "training", with PARTITIONS, durability fsync, a horizon of
 * 24 h, and a clock that stands at NOW_MS. */
struct fixture *fixture_new(int partitions, int64_t now_ms);
/* Ends what was started, the servers too. */
void fixture_free(struct fixture *f);

struct redis_process *fixture_add_node(struct fixture *f, const char *const *extra);
/* Of all nodes, joined into a cluster, the one that holds the settings. */
struct redis_process *fixture_settings_node(struct fixture *f);

/* Starts monitor, store and outbox on ASKED; MESSAGE says what is wrong unless it is ready. */
enum monitor_state fixture_start(
    struct fixture *f, const struct redis_process *asked, char message[static 512]);

/* Waits until the monitor's state is WANTED and its message contains SAYS, which the first look may not show
 * yet: a server that starts, or is slow to answer, is something else for a moment. */
void fixture_await_state(struct fixture *f, enum monitor_state wanted, const char *says);

/* Starts as fixture_start(), and waits until every server takes runs and answers questions, which are asked
 * over another connection; fails the test when one never does. */
void fixture_start_ready(struct fixture *f, const struct redis_process *asked);

/* The clock stands at NOW_MS, and goes on from there. */
void fixture_set_clock(struct fixture *f, int64_t now_ms);

/* Turns the loop for US. */
void fixture_turn(struct fixture *f, long us);
void fixture_turn_until_admits(struct fixture *f, bool wanted);

/* Until the monitor has looked at the servers as they are now. */
void fixture_wait_for_look(struct fixture *f);

/* A run of portal "basic" and course "course" that claims every whole second of its stretch. */
struct store_run fixture_run(const char *learner, const char *lesson, int64_t start_ms, int64_t length_ms,
    int64_t media_from_ms, int64_t media_to_ms);

/* Submits and turns the loop until all are done. On a busy machine a server may be away for a moment, and its
 * runs are refused. */
void fixture_submit(struct fixture *f, struct store_run *runs, size_t n);
/* Submits again what was refused, as players do, until nothing is. */
void fixture_write(struct fixture *f, struct store_run *runs, size_t n);

/*
 * For a call that is false while its server is away for a moment: asks again until it is true, and says that
 * it had to. The call must be one that may be repeated.
 */
#define assert_in_time(f, call)                                                                              \
    do {                                                                                                     \
        int64_t until_ms_ = clock_monotonic_ms() + PATIENCE_MS;                                              \
        while (!(call))                                                                                      \
            fixture_before_asking_again(f, until_ms_, #call, __FILE__, __LINE__);                            \
    } while (0)
/* Its part: turns the loop for a while; fails the test after UNTIL_MS. */
void fixture_before_asking_again(
    struct fixture *f, int64_t until_ms, const char *call, const char *file, int line);

/* The partition of a learner of portal "basic". */
int fixture_partition_of(const struct fixture *f, const char *learner);

/* One call of outbox_retire() by a settled clock that says NOW_MS. */
bool fixture_retire(struct fixture *f, int64_t now_ms, int64_t *floor) __attribute__((warn_unused_result));

/* Takes the next portion, in time. It begins at the minute's first when the cursor's connection has broken:
 * what was taken before is then taken twice. */
void fixture_take_portion(struct fixture *f, struct arena *arena, struct outbox_portion *portion);
/* Takes a minute of which a portion is all, in time. */
void fixture_take(
    struct fixture *f, int partition, int64_t minute, struct arena *arena, struct outbox_portion *out);
