/* Players who are to try again, by when; each at most once. A binary heap. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retry {
    int64_t due_us;
    int64_t since_us; /* when the request that first failed was due: their latency counts from then */
    uint32_t player;
};

/* A zeroed struct is empty. */
struct retries {
    struct retry *items;
    size_t n;
    size_t room;
};

void retries_add(struct retries *r, struct retry retry);
/* The earliest; INT64_MAX when there is none. */
int64_t retries_due_us(const struct retries *r);
/* Takes the earliest, which must be there. */
struct retry retries_take(struct retries *r);
void retries_free(struct retries *r);
