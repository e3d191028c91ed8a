/*
 * One record of each topic as the publisher writes it. Apart, because publisher and ledger each call theirs
 * `struct record`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { PUBLISHED_TOPICS = 4, PUBLISHED_MINUTE = 1672900800 };

#define PUBLISHED_LEARNER "王/\"老师\\"
#define PUBLISHED_MASK UINT64_C(0x800000000000005)

struct published_record {
    char key_bytes[256];
    char value_bytes[512];
    struct slice key;
    struct slice value;
};

/* In the order of the ledger's enum topic. */
void published_records_write(bool json, struct published_record out[PUBLISHED_TOPICS]);
