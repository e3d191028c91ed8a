/*
 * Reads whole topics as any consumer does, committed records only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { READER_RECORDS_MAX = 4096, READER_TEXT_MAX = 512 };

struct read_record {
    const char *topic; /* the reader's argument */
    int partition;
    int64_t time_ms;
    char key[READER_TEXT_MAX];
    char value[READER_TEXT_MAX]; /* text, so JSON */
    char content_type[64];
    char schema[64];
};

/* Every record of TOPIC there is, in order within each of its PARTITIONS. Returns how many. */
size_t kafka_read(
    const char *brokers, const char *topic, int partitions, struct read_record out[READER_RECORDS_MAX]);
