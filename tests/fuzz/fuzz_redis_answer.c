/*
 * Any bytes as the packed answers of Redis's functions: refused, or read to values that could have been
 * credited, which packed again are the same bytes.
 *
 *     [which][n runs] the answer
 */
#include <assert.h>
#include <stdint.h>

#include "budget.h"
#include "credit/mask.h"
#include "store/apply.h"
#include "store/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS = 16, FORMAT = 1 };

static const struct budget budget = {64 * 1024, 64, 10000, 300};

/* ---- apply ---- */

enum { ANSWER_COUNTS, ANSWER_WHOLE, ANSWER_UNREADABLE };

static void check_applied(const struct store_run *run, uint32_t claimed, int answer)
{
    uint64_t sum =
        (uint64_t)run->credited_seconds + run->duplicate_seconds + run->contested_seconds + run->late_seconds;
    assert(answer <= ANSWER_UNREADABLE && sum == claimed);
    if (answer == ANSWER_UNREADABLE) {
        assert(run->status == STORE_UNAVAILABLE && run->duplicate_seconds == claimed);
        return;
    }
    assert((run->status == STORE_TOO_LATE) == (run->late_seconds == claimed));
    assert(run->status == STORE_TOO_LATE || run->status == STORE_WRITTEN);
    assert(answer == ANSWER_COUNTS || run->credited_seconds == claimed);
}

static void append_applied(struct buf *b, const struct store_run *run, int answer)
{
    buf_append_u8(b, (uint8_t)answer);
    if (answer != ANSWER_COUNTS)
        return;
    buf_append_u16(b, (uint16_t)run->credited_seconds);
    buf_append_u16(b, (uint16_t)run->contested_seconds);
    buf_append_u16(b, (uint16_t)run->late_seconds);
}

static void check_apply(struct slice answer, size_t n)
{
    struct store_run runs[RUNS] = {0};
    struct store_run_queue queue = STAILQ_HEAD_INITIALIZER(queue);
    struct buf again = {0};
    for (size_t i = 0; i < n; i++) {
        runs[i].claim = (struct claim){.first_second = 1000, .end_second = 1001 + (int64_t)i * 40};
        STAILQ_INSERT_TAIL(&queue, &runs[i], link);
    }
    bool good = apply_decode(answer, &queue);
    for (size_t i = 0; good && i < n; i++) {
        assert(again.len < answer.len);
        int begins = (unsigned char)answer.ptr[again.len];
        check_applied(&runs[i], (uint32_t)(i * 40 + 1), begins);
        append_applied(&again, &runs[i], begins);
    }
    assert(!good || slice_equal(buf_slice(&again), answer));
    buf_free(&again);
}

/* ---- masks ---- */

/* The masks that have a second, in the order of the lessons; of some minute. */
static void check_masks(struct slice value)
{
    struct arena arena = {0};
    struct learner_masks learner = {0};
    bool good = values_decode_masks(value, (int64_t)value.len, &arena, &learner);
    for (size_t i = 0; good && i < learner.n_masks; i++) {
        const struct lesson_mask *mask = &learner.masks[i];
        assert(mask->mask != 0 && (mask->mask & ~MASK_FULL) == 0);
        assert(mask->lesson.ptr > value.ptr && mask->lesson.len <= UINT8_MAX);
        assert(i == 0 || mask->lesson.ptr > learner.masks[i - 1].lesson.ptr);
        assert(mask->lesson.ptr + mask->lesson.len <= value.ptr + value.len);
    }
    arena_free(&arena);
}

/* All ten minutes of a bucket, in order. */
static void check_minutes(struct slice value)
{
    struct arena arena = {0};
    struct learner_masks learner = {0};
    struct minutes minutes;
    bool good = values_decode_minutes(value, 7, &arena, &minutes);
    assert(!good || values_decode_masks(value, 70, &arena, &learner));
    for (size_t i = 0; good && i < minutes.n; i++) {
        const struct store_minute *m = &minutes.items[i];
        assert(m->minute >= 70 && m->minute < 80 && m->mask != 0 && (m->mask & ~MASK_FULL) == 0);
        assert(i == 0 || m->minute >= minutes.items[i - 1].minute);
        assert(m->lesson.ptr > value.ptr && m->lesson.ptr + m->lesson.len <= value.ptr + value.len);
    }
    arena_free(&arena);
}

/* ---- totals and sums ---- */

static void check_total(struct slice answer)
{
    struct lesson_total lesson = {0};
    if (!values_decode_total(answer, &lesson))
        return;
    assert(lesson.watched_seconds >= 0 && lesson.covered_seconds >= 0 && lesson.last_minute >= 0);
    assert(lesson.course.ptr >= answer.ptr && lesson.course.len <= UINT8_MAX);
    assert(lesson.course.ptr + lesson.course.len == lesson.covered.ptr);
    assert(lesson.covered.ptr + lesson.covered.len == answer.ptr + answer.len && lesson.covered.len % 8 == 0);
}

static void check_sum(struct slice answer)
{
    struct lesson_sum sum = {0};
    struct buf again = {0};
    if (values_decode_sum(answer, &sum)) {
        assert(sum.watched_seconds >= 0 && sum.learners >= 0);
        buf_append_u8(&again, FORMAT);
        buf_append_u32(&again, (uint32_t)sum.watched_seconds);
        buf_append_u32(&again, (uint32_t)sum.learners);
        buf_append_u32(&again, (uint32_t)sum.published_seconds);
        buf_append_slice(&again, sum.course);
        assert(slice_equal(buf_slice(&again), answer));
    }
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice answer = {(const char *)data + 2, size - 2};
    budget_begin();
    switch (data[0] % 4) {
    case 0:
        check_apply(answer, data[1] % RUNS);
        break;
    case 1:
        check_masks(answer);
        check_minutes(answer);
        break;
    case 2:
        check_total(answer);
        break;
    default:
        check_sum(answer);
    }
    budget_end(&budget, size);
    return 0;
}
