/* Any bytes as the answers of Redis's functions: refused or read, never beyond their end. */
#include <stdint.h>

#include "store/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice answer = {(const char *)data, size};
    struct arena arena = {0};
    struct store_run run = {.claim = {.first_second = 0, .end_second = 15}};
    struct store_run_queue runs = STAILQ_HEAD_INITIALIZER(runs);
    STAILQ_INSERT_TAIL(&runs, &run, link);
    struct outbox_learner learner = {0};
    struct store_lesson lesson = {0};
    struct outbox_sum sum = {0};
    bool read = apply_decode(answer, &runs);
    read = take_decode(answer, &arena, &learner) || read;
    read = total_decode(answer, &lesson) || read;
    read = sum_decode(answer, &sum) || read;
    (void)read;
    arena_free(&arena);
    return 0;
}
