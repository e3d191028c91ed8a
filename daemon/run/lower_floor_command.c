/*
 * minuted --lower-floor
 *
 *     which floors are wrong -> the fence of each -> [ a pass over the evidence since the horizon -> each
 *     learner's masks into Redis ] -> lesson sums -> the floors
 *
 * Nothing is claimed below a wrong floor, so what was put back stays as it is until the floor is lowered.
 */
#include "run/lower_floor_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/exit_status.h"
#include "base/mem.h"
#include "config/config.h"
#include "credit/mask.h"
#include "identity/policy.h"
#include "publish/outbox.h"
#include "publish/recall.h"
#include "publish/restore.h"
#include "run/way_back.h"
#include "store/apply.h"

/* The sums of a partition's minute. */
struct minute_sums {
    struct restore_sum *items;
    uint32_t *lessons; /* of each; their places among the evidence's lessons */
    size_t n;
};

struct lowering {
    struct way_back *way;
    struct recall *recall;
    struct restore restore;
    struct restore_state states[PARTITIONS_MAX];
    bool wrong[PARTITIONS_MAX];
    int64_t target; /* the first minute that can be claimed afterwards */
    int64_t now_minute;
    struct minute_sums *sums; /* by partition and minute since the target */
    int slice;
    int slices;
};

/* ---- lesson sums ---- */

static int64_t minutes_since_target(const struct lowering *l)
{
    return l->now_minute - l->target + 1;
}

static struct minute_sums *sums_of(const struct lowering *l, int partition, int64_t minute)
{
    return &l->sums[partition * minutes_since_target(l) + minute - l->target];
}

static void add_to_sum(struct lowering *l, int partition, const struct recall_mask *m)
{
    struct minute_sums *s = sums_of(l, partition, m->minute);
    size_t i = 0;
    while (i < s->n && s->lessons[i] != m->lesson)
        i++;
    if (i == s->n) {
        s->items = mem_realloc(s->items, (s->n + 1) * sizeof(*s->items));
        s->lessons = mem_realloc(s->lessons, (s->n + 1) * sizeof(*s->lessons));
        s->items[i] = (struct restore_sum){.partition = partition, .minute = m->minute};
        s->lessons[s->n++] = m->lesson;
    }
    s->items[i].seconds += mask_count(m->mask);
    s->items[i].learners++;
}

static void sum_up(struct lowering *l, const struct recall_learner *learner)
{
    struct arena arena = {0};
    struct recall_summary summary = recall_sum_up(learner, 0, &arena);
    for (size_t i = 0; i < summary.n_masks; i++)
        if (summary.masks[i].mask != 0 && summary.masks[i].minute < l->states[learner->partition].floor)
            add_to_sum(l, learner->partition, &summary.masks[i]);
    arena_free(&arena);
}

static bool write_sums(struct lowering *l)
{
    for (int p = 0; p < outbox_partitions(l->way->outbox); p++)
        for (int64_t minute = l->target; minute <= l->now_minute; minute++) {
            struct minute_sums *s = sums_of(l, p, minute);
            for (size_t i = 0; i < s->n; i++) {
                const struct recall_lesson *lesson = recall_lesson(l->recall, s->lessons[i]);
                s->items[i].lesson = lesson->id;
                s->items[i].course = lesson->course;
            }
            if (s->n > 0 && !restore_sums(&l->restore, s->items, s->n, way_back_goes_on, NULL))
                return way_back_fail(l->restore.why);
        }
    return true;
}

/* ---- masks ---- */

static bool restore_slice(struct lowering *l)
{
    struct recall_terms terms = {.program = l->way->policy->catalog->program,
        .partitions = outbox_partitions(l->way->outbox),
        .last_minute = l->now_minute,
        .slice = l->slice,
        .slices = l->slices};
    for (int p = 0; p < terms.partitions; p++)
        terms.first_minute[p] = l->wrong[p] ? l->target : RECALL_NOTHING;
    if (!way_back_read(l->way, l->recall, &terms) ||
        !way_back_restore(l->way, l->recall, &terms, &l->restore, l->states, true))
        return false;
    for (size_t i = 0; i < recall_learners(l->recall); i++)
        sum_up(l, recall_learner(l->recall, i));
    return true;
}

static bool lower(struct lowering *l)
{
    for (int p = 0; p < outbox_partitions(l->way->outbox); p++) {
        int64_t floor;
        if (!l->wrong[p])
            continue;
        if (!restore_lower_floor(&l->restore, p, l->states[p].floor, l->target, &floor))
            return way_back_fail(l->restore.why);
        printf("partition %d: minutes from %" PRId64 " on can be claimed\n", p, floor * MINUTE_SECONDS);
        if (floor != l->target)
            return way_back_fail("the floor has changed meanwhile; run this again");
    }
    return true;
}

/* ---- the command ---- */

static bool restore_all(struct lowering *l)
{
    l->recall = way_back_open_recall(l->way);
    if (l->recall == NULL)
        return false;
    if (!recall_seek(l->recall, l->target))
        return way_back_fail("Kafka does not answer");
    l->slices = recall_slices(l->recall, WAY_BACK_MEMORY);
    way_back_name(l->restore.token);
    l->restore.outbox = l->way->outbox;
    for (int p = 0; p < outbox_partitions(l->way->outbox); p++)
        if (l->wrong[p] && !restore_claim(&l->restore, p))
            return way_back_fail(l->restore.why);
    for (l->slice = 0; l->slice < l->slices; l->slice++)
        if (!restore_slice(l))
            return false;
    if (!write_sums(l) || !lower(l))
        return false;
    printf("done: %" PRId64 " learners, %" PRId64 " seconds put back into masks\n", l->restore.learners,
        l->restore.new_seconds);
    if (l->restore.left_out > 0)
        fprintf(stderr, "minuted: %" PRId64 " learners could not be restored\n", l->restore.left_out);
    return l->restore.left_out == 0;
}

/* Which floors are wrong. False after an error was printed. */
static bool look(struct lowering *l, int *wrong, bool *lost)
{
    const struct config *config = l->way->config;
    struct restore_deployment d;
    int64_t now_ms = clock_now_ms(&l->way->clock);
    int64_t horizon_minute = (now_ms - config->heartbeats.horizon_ms) / 1000 / MINUTE_SECONDS;
    if (clock_belief(&l->way->clock) == CLOCK_DOUBTED)
        return way_back_fail("this machine's clock is in doubt: it and Redis's differ");
    if (!restore_read_states(l->way->outbox, &l->restore.states, l->states) ||
        !restore_read_deployment(l->way->outbox, &d))
        return way_back_fail("Redis does not answer");
    int64_t limit = apply_limit_minute(config->dev, horizon_minute, d.early_minute);
    l->target = horizon_minute - horizon_minute % BUCKET_MINUTES;
    l->now_minute = now_ms / 1000 / MINUTE_SECONDS;
    for (int p = 0; p < outbox_partitions(l->way->outbox); p++) {
        bool is_wrong = l->states[p].floor > limit;
        l->wrong[p] = is_wrong && l->states[p].lost == RESTORE_WHOLE;
        *wrong += l->wrong[p];
        if (is_wrong && !l->wrong[p]) {
            *lost = true;
            fprintf(stderr,
                "minuted: partition %d has lost what it held, or a rebuilding has left learners out: run "
                "minuted --rebuild first\n",
                p);
        }
    }
    if (*wrong > 0 && d.final_through > l->target * MINUTE_SECONDS)
        printf("Consumers were told that nothing changes before %" PRId64 " any more. From %" PRId64
               " on minutes will\nchange again: whoever has closed them has to look again.\n",
            d.final_through, l->target * MINUTE_SECONDS);
    return true;
}

static int run(struct way_back *w)
{
    struct lowering l = {.way = w};
    int wrong = 0;
    bool lost = false;
    bool looked = look(&l, &wrong, &lost);
    if (looked && wrong == 0 && !lost)
        puts("No floor is a wrong one.");
    if (!looked || wrong == 0) {
        restore_free(&l.restore);
        return looked && !lost ? EXIT_GOOD : EXIT_FAILED;
    }
    size_t n = (size_t)(outbox_partitions(w->outbox) * minutes_since_target(&l));
    l.sums = mem_zalloc(n * sizeof(*l.sums));
    bool good = restore_all(&l);
    for (size_t i = 0; i < n; i++) {
        free(l.sums[i].items);
        free(l.sums[i].lessons);
    }
    free(l.sums);
    restore_free(&l.restore);
    recall_close(l.recall);
    return good && !lost ? EXIT_GOOD : EXIT_FAILED;
}

int lower_floor_command(const struct config *config, const struct options *options)
{
    struct way_back w;
    int status = EXIT_FAILED;
    way_back_block_signals();
    if (way_back_open(&w, config, options))
        status = run(&w);
    way_back_close(&w);
    return status;
}
