/*
 * The records that Kafka refuses by themselves, for their size, their time or what their topic demands. Kafka
 * refuses a whole batch and so the transaction for one of them: they are set aside for a while, so that they
 * hold up no others. Redis goes on owing them. Pure; nobody but the publisher's thread uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "publish/record.h"

enum {
    REFUSED_RECORDS_MAX = 10000,
    REFUSED_RECORDS_MS = 600000 /* after so long a record is tried again */
};

struct refused_records;

struct refused_records *refused_records_new(void);
void refused_records_free(struct refused_records *r);

/* A producer connects. Which times topics took before tells nothing of those that they refuse from now on. */
void refused_records_begin(struct refused_records *r);

/* Notes that the topic of KIND has taken a record of TIME_MS since then. */
void refused_records_note_taken(struct refused_records *r, enum record_kind kind, int64_t time_ms);

/*
 * Sets a record aside that was refused at NOW_MS, a steady time. FOR_ITS_TIME: for its time, and so are those
 * of its kind that are still further from what the topic has taken. False when there is no room.
 */
bool refused_records_add(struct refused_records *r, enum record_kind kind, struct slice key, int64_t time_ms,
    bool for_its_time, int64_t now_ms) __attribute__((warn_unused_result));

/* Whether RECORD is set aside at NOW_MS. */
bool refused_records_has(const struct refused_records *r, const struct record *record, int64_t now_ms);

/* Whether any may be: false tells that none is. */
bool refused_records_any(const struct refused_records *r);

/* Forgets what is to be tried again at NOW_MS, and returns how many keys are still set aside. */
size_t refused_records_expire(struct refused_records *r, int64_t now_ms);
