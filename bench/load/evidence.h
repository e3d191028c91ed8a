/*
 * Which seconds of which learner were accepted: a word of 60 bits for each learner and minute, as the players
 * learned them from the answers. Each simulated learner watches one lesson.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct evidence {
    const char *portal;
    const char *prefix; /* learner I is "<prefix><I>" in decimal; nobody else's id begins like this */
    size_t n_learners;
    int64_t first_minute; /* Unix minutes (seconds / 60) */
    size_t n_minutes;
    uint64_t *masks; /* [learner * n_minutes + minute - first_minute] */
    /* lesson of learner I is lessons[I % n_lessons] */
    const char *const *lessons;
    size_t n_lessons;
};
