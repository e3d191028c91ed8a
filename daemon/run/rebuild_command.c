/*
 * minuted --rebuild
 *
 *     which partitions have lost what they held -> the fence of each -> [ a pass over the topics -> each
 * learner of this share into Redis -> the pass is noted ] -> a new epoch
 */
#include "run/rebuild_command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/exit_status.h"
#include "config/config.h"
#include "credit/mask.h"
#include "identity/policy.h"
#include "publish/outbox.h"
#include "publish/recall.h"
#include "publish/restore.h"
#include "run/way_back.h"

struct rebuilding {
    struct way_back *way;
    struct recall *recall;
    struct restore restore;
    struct restore_state states[PARTITIONS_MAX];
    int64_t slice;
    int64_t slices;
    int64_t malformed;
    int64_t foreign;
};

static bool is_lost(const struct restore_state *state)
{
    return state->lost == RESTORE_EMPTY || state->lost == RESTORE_ROLLED_BACK ||
           state->lost == RESTORE_LEFT_OUT;
}

/* What came before is whole in a partition that was rolled back, except of learners who were left out. */
static int64_t first_minute_of(const struct restore_state *state)
{
    return state->lost == RESTORE_EMPTY || state->n_left_out > 0 ? 0 : state->kept;
}

/* ---- passes ---- */

/* Whether the partition takes part in the pass under way. */
static bool takes_part(const struct rebuilding *b, int p)
{
    return is_lost(&b->states[p]) && b->states[p].slices == b->slices && b->states[p].slice == b->slice;
}

static bool go_through_slice(struct rebuilding *b)
{
    struct recall_terms terms = {.program = b->way->policy->catalog->program,
        .partitions = outbox_partitions(b->way->outbox),
        .last_minute = clock_now_ms(&b->way->clock) / 1000 / MINUTE_SECONDS,
        .slice = (int)b->slice,
        .slices = (int)b->slices};
    for (int p = 0; p < terms.partitions; p++) {
        terms.totals[p] = takes_part(b, p);
        terms.first_minute[p] = terms.totals[p] ? first_minute_of(&b->states[p]) : RECALL_NOTHING;
    }
    if (!way_back_read(b->way, b->recall, &terms))
        return false;
    b->malformed = recall_malformed(b->recall);
    b->foreign = recall_foreign(b->recall);
    return way_back_restore(b->way, b->recall, &terms, &b->restore, b->states, false);
}

/* The partitions that have come to the end of their passes are whole. */
static bool end_slice(struct rebuilding *b)
{
    for (int p = 0; p < outbox_partitions(b->way->outbox); p++) {
        struct restore_state *state = &b->states[p];
        int64_t epoch;
        if (!takes_part(b, p))
            continue;
        if (state->lost == RESTORE_LEFT_OUT) { /* its epoch goes on */
            if (++state->slice < b->slices)
                continue;
            if (!restore_release(&b->restore, b->recall, p, b->states, way_back_goes_on, NULL))
                return way_back_fail(b->restore.why);
            state->lost = RESTORE_WHOLE;
            continue;
        }
        if (b->slice < b->slices && !restore_next(&b->restore, p, b->slices, ++state->slice))
            return way_back_fail(b->restore.why);
        if (state->slice < b->slices)
            continue;
        if (!restore_end(&b->restore, p, &epoch))
            return way_back_fail(b->restore.why);
        state->lost = RESTORE_WHOLE;
        printf("partition %d is whole; its new epoch is %" PRId64 "\n", p, epoch);
    }
    fflush(stdout);
    return true;
}

/*
 * Chooses the next pass: of the partitions that are still lost, the first one's. Those that were begun by
 * other runs may have another number of passes, and follow after it. False when none is lost any more.
 */
static bool choose_slice(struct rebuilding *b)
{
    b->slices = 0;
    for (int p = 0; p < outbox_partitions(b->way->outbox); p++) {
        const struct restore_state *state = &b->states[p];
        if (!is_lost(state) || (b->slices != 0 && state->slices != b->slices))
            continue;
        b->slice = b->slices == 0 || state->slice < b->slice ? state->slice : b->slice;
        b->slices = state->slices;
    }
    return b->slices != 0;
}

/* ---- the command ---- */

/* The first minute that matters to any partition that is lost. */
static int64_t first_minute(const struct rebuilding *b)
{
    int64_t first = RECALL_NOTHING;
    for (int p = 0; p < outbox_partitions(b->way->outbox); p++)
        if (is_lost(&b->states[p]) && first_minute_of(&b->states[p]) < first)
            first = first_minute_of(&b->states[p]);
    return first;
}

/*
 * Takes the fences before looking how far each partition is: until then, an older process may still have gone
 * on. It may even have come to its end.
 */
static bool claim_all(struct rebuilding *b)
{
    struct outbox *o = b->way->outbox;
    for (int p = 0; p < outbox_partitions(o); p++)
        if (is_lost(&b->states[p]) && !restore_claim(&b->restore, p))
            return way_back_fail(b->restore.why);
    if (!restore_read_states(o, &b->restore.states, b->states))
        return way_back_fail("Redis does not answer");
    return true;
}

/* How the passes go on, or into how many of them the learners are divided. */
static bool begin_passes(struct rebuilding *b)
{
    int64_t first = first_minute(b);
    if (first == RECALL_NOTHING)
        return true;
    if (!recall_seek(b->recall, first))
        return way_back_fail("Kafka does not answer");
    int slices = recall_slices(b->recall, WAY_BACK_MEMORY);
    for (int p = 0; p < outbox_partitions(b->way->outbox); p++) {
        struct restore_state *state = &b->states[p];
        if (!is_lost(state))
            continue;
        if (state->slices <= 0 || state->slice < 0 || state->slice > state->slices) {
            state->slices = slices;
            state->slice = 0;
            if (state->lost != RESTORE_LEFT_OUT && !restore_next(&b->restore, p, state->slices, state->slice))
                return way_back_fail(b->restore.why);
        }
        printf("partition %d %s; pass %" PRId64 " of %" PRId64 " is next\n", p,
            state->lost == RESTORE_EMPTY         ? "came back empty"
            : state->lost == RESTORE_ROLLED_BACK ? "was rolled back"
                                                 : "is whole but for learners who were left out",
            state->slice + 1, state->slices);
    }
    fflush(stdout);
    return true;
}

static void tell_done(const struct rebuilding *b)
{
    const struct restore *r = &b->restore;
    printf(
        "done: %" PRId64 " learners, %" PRId64 " seconds put back into masks\n", r->learners, r->new_seconds);
    if (r->taken_seconds > 0)
        printf("%" PRId64 " seconds were another lesson's in the topics, and are that one's again\n",
            r->taken_seconds);
    if (r->older_seconds > 0)
        printf("%" PRId64 " seconds of %" PRId64
               " learners have no evidence in the topics any more, and were taken from totals\n",
            r->older_seconds, r->older_learners);
    if (r->ahead_seconds > 0)
        printf("%" PRId64
               " seconds were in totals alone, since their minutes were not yet published: they are lost\n",
            r->ahead_seconds);
    if (b->malformed > 0 || b->foreign > 0)
        printf("%" PRId64 " records were passed over as malformed, %" PRId64 " of other programs\n",
            b->malformed, b->foreign);
}

static bool rebuild(struct rebuilding *b)
{
    b->recall = way_back_open_recall(b->way);
    way_back_name(b->restore.token);
    b->restore.outbox = b->way->outbox;
    if (b->recall == NULL || !claim_all(b) || !begin_passes(b))
        return false;
    while (choose_slice(b)) {
        bool done = b->slice >= b->slices; /* a run was ended between its last pass and its end */
        if (!done && !go_through_slice(b))
            return false;
        if (!end_slice(b))
            return false;
    }
    tell_done(b);
    if (b->restore.left_out > 0)
        fprintf(stderr,
            "minuted: %" PRId64
            " learners could not be restored: mend or delete their values, and run this again; until then "
            "nothing of them is published\n",
            b->restore.left_out);
    return b->restore.left_out == 0;
}

static int tell_nothing_lost(const struct restore_deployment *d)
{
    puts("No partition is known to have lost anything.");
    if (d->published)
        return EXIT_GOOD;
    fputs(
        "minuted: no daemon publishes, and the publishing one compares Redis with Kafka: start one, and look "
        "again\n",
        stderr);
    return EXIT_FAILED;
}

static int run(struct way_back *w)
{
    struct rebuilding b = {.way = w};
    struct restore_deployment d;
    int lost = 0;
    int foreign = 0;
    if (!restore_read_states(w->outbox, &b.restore.states, b.states) ||
        !restore_read_deployment(w->outbox, &d)) {
        fputs("minuted: Redis does not answer\n", stderr);
        restore_free(&b.restore);
        return EXIT_FAILED;
    }
    for (int p = 0; p < outbox_partitions(w->outbox); p++) {
        lost += is_lost(&b.states[p]);
        if (b.states[p].lost != RESTORE_FOREIGN)
            continue;
        foreign++;
        fprintf(stderr,
            "minuted: partition %d holds what this deployment has not written: restore the right Redis, or "
            "empty the server of this partition, and run this again\n",
            p);
    }
    if (lost == 0 && foreign == 0) {
        restore_free(&b.restore);
        return tell_nothing_lost(&d);
    }
    bool good = lost == 0 || rebuild(&b);
    restore_free(&b.restore);
    recall_close(b.recall);
    return good && foreign == 0 ? EXIT_GOOD : EXIT_FAILED;
}

int rebuild_command(const struct config *config, const struct options *options)
{
    struct way_back w;
    int status = EXIT_FAILED;
    way_back_block_signals();
    if (way_back_open(&w, config, options))
        status = run(&w);
    way_back_close(&w);
    return status;
}
