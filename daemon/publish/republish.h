/*
 * Publishing anew all that Redis holds, for a Kafka that has lost what it had: every total, and every mask
 * and lesson sum within the horizon. An operator asks for it by a number in `minuted:republish` (`minuted
 * --republish`). Whoever holds the lease walks through the keys of every server, a step a round, beside what
 * is due, and notes the number when all is published.
 *
 *     republish_look -> republish_send -> (commit) -> republish_note -> …
 *
 * A step reads a few keys, behind the barrier, and sends what they say at that moment. One thread publishes,
 * so no record of a step comes after a greater one of the same key; a lesson sum of which a part may be
 * retired already is not sent. A walk that is broken off begins anew with the next holder of the lease, and
 * when the servers have changed on the way. What cannot be read is left out, told and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "publish/producer.h"
#include "publish/round.h"

struct log;
struct outbox;
struct republish;

#define KEY_REPUBLISH "minuted:republish"

/*
 * Whether Kafka has lost what was published to it, as Redis notes it until everything is published anew.
 * False when Redis did not tell.
 */
bool republish_kafka_lost(struct outbox *o, bool *lost) __attribute__((warn_unused_result));
/* Notes that it has. False when Redis did not keep that durably. */
bool republish_note_kafka_lost(struct outbox *o) __attribute__((warn_unused_result));

struct republish *republish_new(const struct clock *clock, struct log *log);
void republish_free(struct republish *walk);

enum republish_look {
    REPUBLISH_NOTHING, /* nobody asks for it, or Redis does not tell */
    REPUBLISH_BEGINS,  /* a request that is new to this daemon */
    REPUBLISH_GOES_ON
};

/* What there is to do. Asks Redis every few seconds; a walk that nobody asks for any more ends. */
enum republish_look republish_look(struct republish *walk, struct outbox *o);

/* Leaves the request to another daemon; if it still stands at the next look, it is new again. */
void republish_leave(struct republish *walk);

/* Sends the records of the next step within the round's transaction. */
enum producer_status republish_send(struct republish *walk, struct round *r)
    __attribute__((warn_unused_result));

/* After the commit: the step is done with. Returns whether another one follows at once. */
bool republish_note(struct republish *walk, struct outbox *o);
