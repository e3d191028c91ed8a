/*
 * Records as the publisher writes them, of each topic, and of watermarks both kinds. Apart, because publisher
 * and ledger each call theirs `struct record`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* The records of the topics in the order of the ledger's enum topic, and then a partition's watermark. */
enum { PUBLISHED_OF_PARTITION = 4, PUBLISHED_RECORDS, PUBLISHED_MINUTE = 1672900800 };

#define PUBLISHED_LEARNER "王/\"老师\\"
#define PUBLISHED_MASK UINT64_C(0x800000000000005)
#define PUBLISHED_EPOCH INT64_C(1672900801234)

struct published_record {
    char key_bytes[256];
    char value_bytes[512];
    struct slice key;
    struct slice value;
};

void published_records_write(bool json, struct published_record out[PUBLISHED_RECORDS]);
