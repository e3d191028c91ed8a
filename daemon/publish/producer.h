/*
 * The transactional producer. Its transactional.id is the deployment's, so connecting fences whoever produced
 * before: what that one had not committed never becomes visible.
 *
 *     reach -> connect -> [ send … send -> commit ] -> …      any failure: disconnect, connect anew
 *
 * Calls block for as long as their caller lets them. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "publish/record.h"

struct config;
struct producer;

enum producer_status {
    PRODUCER_DONE,
    PRODUCER_FAILED, /* broken off, away or misconfigured: producer_error() says which; disconnect */
    PRODUCER_FENCED, /* another one has connected since; disconnect */
    PRODUCER_REFUSED /* not sent: Kafka refuses this record, and goes on with others; see refused_records.h */
};

/*
 * A call that may take long gives its caller a turn before each step that may block: the caller renews what
 * it has to keep, and returns how many ms the step may take; 0: the call is to be given up.
 */
struct producer_caller {
    int (*renew)(void *ctx);
    void *ctx;
};

/* Borrows everything. PROGRAM and the deployment's name are in the transactional.id. */
struct producer *producer_new(const struct config *config, const char *program, const struct clock *clock,
    const char *brokers, struct producer_caller caller, struct log *log);
void producer_free(struct producer *p);

/* Reaches the brokers, if that was not done, and leaves no trace there. */
enum producer_status producer_reach(struct producer *p) __attribute__((warn_unused_result));

/* The id of the cluster that was reached; "": it tells none. */
const char *producer_cluster(const struct producer *p);

/* Reaches the brokers unless that was done, finds the four topics, fences. */
enum producer_status producer_connect(struct producer *p) __attribute__((warn_unused_result));
bool producer_connected(const struct producer *p);

/* Whether brokers answer that have the four topics. Leaves no trace there; to be followed by disconnecting.
 */
bool producer_look(struct producer *p);

/* For how long brokers have been asked without any answer, in ms; 0: they answer, or were not asked. */
int64_t producer_unanswered_ms(const struct producer *p);

/* How many partitions each topic has, since connecting or producer_count_partitions(). */
const int *producer_partitions(const struct producer *p);

/* To publish to so many partitions of each topic, no more than it has. Connecting makes it all of them. */
void producer_use_partitions(struct producer *p, const int used[static RECORD_KINDS]);

/* Counts the partitions of the topics once more, if Kafka answers at once. */
void producer_count_partitions(struct producer *p);

/*
 * Sends a record, whose bytes are copied, within a transaction, which it begins where none is open. REFUSED
 * leaves the transaction as it is.
 */
enum producer_status producer_send(struct producer *p, const struct record *record)
    __attribute__((warn_unused_result));

/* Whether producer_send() would not send it, since Kafka has refused it lately. */
bool producer_refuses(const struct producer *p, const struct record *record);
/* How many records are set aside now; those whose time has come are tried again from now on. */
size_t producer_refused(struct producer *p);
/* Whether any may be set aside: false tells that producer_refuses() none. */
bool producer_refuses_any(const struct producer *p);

/*
 * Whether the last failure was that a record was refused, and the next try will be with smaller batches or
 * without that record.
 */
bool producer_closes_in(const struct producer *p);
/* Whether each record is sent by itself, to find those that are refused, and that is done: connect anew. */
bool producer_is_through(const struct producer *p);

/* Records in the open transaction; 0: none is open. */
size_t producer_pending(const struct producer *p);

/* Commits the open transaction, if there is one. DONE: every record of it is in Kafka. */
enum producer_status producer_commit(struct producer *p) __attribute__((warn_unused_result));

/* Lets the library report errors; never blocks. */
void producer_poll(struct producer *p);

/*
 * Closes. The records of an open transaction never become visible: the next to connect aborts it. True when
 * the broker has said since the connecting that another one has connected, be it only in these last moments.
 */
bool producer_disconnect(struct producer *p);

/* What the last failure was. */
const char *producer_error(const struct producer *p);
