/* minuted --republish [--to-new-kafka] */
#include "run/republish_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "config/config.h"
#include "config/options.h"
#include "credit/mask.h"
#include "identity/policy.h"
#include "publish/destination.h"
#include "publish/outbox.h"
#include "publish/producer.h"
#include "publish/republish.h"
#include "redis/reply.h"
#include "redis/resp.h"
#include "run/way_back.h"

enum {
    LOOK_EVERY_MS = 500,
    STEP_MS = 1000,
    ALONE_MS = 12000 /* longer than a lease lasts */
};

/* The fields of `minuted:republish`; those of the walk come last. */
enum { ASKED, DONE, ALL_KEYS, WALKED_KEYS, RECORDS, LEFT_OUT, NUMBERS };

/* What `minuted:republish` says, and who publishes. */
struct state {
    int64_t numbers[NUMBERS]; /* 0 where there is none */
    bool published_by_somebody;
};

static const char *const fields[] = {[ASKED] = "asked",
    [DONE] = "done",
    [ALL_KEYS] = "of_keys",
    [WALKED_KEYS] = "keys",
    [RECORDS] = "records",
    [LEFT_OUT] = "left_out"};

static bool take_state(void *ctx, size_t index, const redisReply *reply)
{
    struct state *state = ctx;
    (void)index;
    for (size_t i = 0; i < NUMBERS; i++)
        if (!reply_number(reply_at(reply, i), &state->numbers[i]))
            state->numbers[i] = 0;
    return reply_is_array(reply) && reply->elements == NUMBERS;
}

static bool take_publisher(void *ctx, size_t index, const redisReply *reply)
{
    bool *somebody = ctx;
    (void)index;
    *somebody = reply->type != REDIS_REPLY_NIL;
    return *somebody ? reply->type == REDIS_REPLY_STRING : true;
}

static bool read_state(struct outbox *o, struct state *state)
{
    resp_begin(&o->command, 2 + NUMBERS);
    resp_arg(&o->command, SLICE_LITERAL("HMGET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    for (size_t i = 0; i < NUMBERS; i++)
        resp_arg(&o->command, slice_of(fields[i]));
    if (!outbox_call_key(o, KEY_REPUBLISH, "republish", false, take_state, state))
        return false;
    resp_begin(&o->command, 2);
    resp_arg(&o->command, SLICE_LITERAL("GET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_PUBLISHER));
    return outbox_call_key(
        o, KEY_PUBLISHER, "republish", false, take_publisher, &state->published_by_somebody);
}

/* Asks, unless that was done already and may be waited for. The numbers of requests rise. */
static bool ask(struct outbox *o, bool anew, struct state *state)
{
    int64_t made;
    if (!read_state(o, state))
        return false;
    if (!anew && state->numbers[ASKED] != state->numbers[DONE]) {
        puts("It was asked for before, and is under way. If topics were lost since, ask once more when it is "
             "done.");
        return true;
    }
    int64_t now_ms = clock_system_ms();
    int64_t last = state->numbers[ASKED];
    state->numbers[ASKED] = now_ms > last ? now_ms : last + 1;
    resp_begin(&o->command, 2 + 2 * (NUMBERS - 1)); /* all but what is done */
    resp_arg(&o->command, SLICE_LITERAL("HSET"));
    resp_arg(&o->command, SLICE_LITERAL(KEY_REPUBLISH));
    for (size_t i = ALL_KEYS; i < NUMBERS; i++) {
        resp_arg(&o->command, slice_of(fields[i]));
        resp_int(&o->command, 0);
    }
    resp_arg(&o->command, slice_of(fields[ASKED]));
    resp_int(&o->command, state->numbers[ASKED]);
    return outbox_call_key(o, KEY_REPUBLISH, "republish", true, outbox_take_integer, &made);
}

static int tell_done(const struct state *state)
{
    printf("done: %" PRId64 " records of %" PRId64 " keys\n", state->numbers[RECORDS],
        state->numbers[WALKED_KEYS]);
    if (state->numbers[LEFT_OUT] == 0)
        return EXIT_GOOD;
    fprintf(stderr,
        "minuted: %" PRId64 " values could not be read and were left out; the log of the daemon names them\n",
        state->numbers[LEFT_OUT]);
    return EXIT_FAILED;
}

/* Waits for ASKED to be done; tells whatever has changed. */
static int wait_done(struct outbox *o, int64_t asked)
{
    int64_t told_records = -1;
    int64_t somebody_ms = clock_monotonic_ms();
    bool told_alone = false;
    for (;;) {
        struct state state = {.published_by_somebody = true};
        bool known = read_state(o, &state); /* If Redis is away, the outbox has logged it. */
        if (known && state.numbers[DONE] == asked)
            return tell_done(&state);
        if (known && state.numbers[ASKED] != asked) {
            fputs("minuted: somebody else has asked anew, or withdrawn it\n", stderr);
            return EXIT_FAILED;
        }
        if (known && state.numbers[RECORDS] != told_records && state.numbers[ALL_KEYS] > 0)
            printf("%" PRId64 " of at most %" PRId64 " keys, %" PRId64 " records\n",
                state.numbers[WALKED_KEYS], state.numbers[ALL_KEYS], state.numbers[RECORDS]);
        told_records = state.numbers[RECORDS];
        if (state.published_by_somebody)
            somebody_ms = clock_monotonic_ms();
        if (!told_alone && clock_monotonic_ms() - somebody_ms > ALONE_MS) {
            puts("No daemon publishes. It begins as soon as one does.");
            told_alone = true;
        }
        fflush(stdout);
        nanosleep(&(struct timespec){0, LOOK_EVERY_MS * INT64_C(1000000)}, NULL);
    }
}

static void tell_horizon(const struct config *config)
{
    time_t since = (time_t)((clock_system_ms() - config->heartbeats.horizon_ms) / 1000);
    struct tm utc;
    char when[32];
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&since, &utc));
    printf("Redis holds the evidence since %s, and every total. Evidence from before is only in the topics,\n"
           "where they still exist.\n",
        when);
}

/* ---- to another Kafka ---- */

static int renew(void *ctx)
{
    (void)ctx;
    return STEP_MS;
}

/* Makes the Kafka of this configuration the deployment's. False after an error was printed. */
static bool move_destination(struct way_back *w)
{
    const struct config *config = w->config;
    struct producer *producer = producer_new(config, w->policy->catalog->program, &w->clock,
        config->kafka.brokers, (struct producer_caller){renew, NULL}, w->log);
    bool good = strcmp(config->kafka.brokers, "embedded") != 0 && producer_reach(producer) == PRODUCER_DONE;
    struct destination to = {config->kafka.topic_prefix, good ? producer_cluster(producer) : ""};
    if (strcmp(config->kafka.brokers, "embedded") == 0) {
        fputs("minuted: kafka.brokers is 'embedded', which keeps nothing and is no other Kafka\n", stderr);
    } else if (!good) {
        fprintf(stderr, "minuted: %s\n", producer_error(producer));
    } else if (to.cluster[0] == '\0') {
        good = false;
        fprintf(stderr, "minuted: kafka.brokers %s: the cluster tells no id\n", config->kafka.brokers);
    } else if (!destination_move(w->outbox, &to)) {
        good = false;
        fputs("minuted: Redis did not take the new Kafka\n", stderr);
    } else {
        printf("The deployment publishes to the cluster %s, topics %s.*, from now on.\n", to.cluster,
            to.topic_prefix);
    }
    producer_free(producer);
    return good;
}

/* ---- the command ---- */

static int run(struct way_back *w, bool to_new_kafka)
{
    struct state state = {.published_by_somebody = false};
    /* First the Kafka, then the request: the other way round it might be done for the old one. */
    if (to_new_kafka && !move_destination(w))
        return EXIT_FAILED;
    if (!ask(w->outbox, to_new_kafka, &state)) {
        fputs("minuted: Redis did not take the request\n", stderr);
        return EXIT_FAILED;
    }
    tell_horizon(w->config);
    fflush(stdout);
    return wait_done(w->outbox, state.numbers[ASKED]);
}

int republish_command(const struct config *config, const struct options *options)
{
    struct way_back w;
    int status = EXIT_FAILED;
    if (way_back_open(&w, config, options))
        status = run(&w, options->to_new_kafka);
    way_back_close(&w);
    return status;
}
