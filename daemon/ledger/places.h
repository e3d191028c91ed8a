/*
 * Where reading goes on in each topic partition, and whether Kafka still has the topics that were read.
 *
 * An offset alone does not tell whether a topic is the same: a topic that was deleted and made again counts
 * from 0, and soon has as many records as the old one had. So the newest record that Kafka has before the
 * stored offset must be the one that the ledger holds as the last of its key. Of a topic that is only
 * appended to and compacted this is always true: compaction never removes the newest record of a key. The
 * comparison looks at the last COMPARED_OFFSETS offsets; if Kafka has none of them any more, because all were
 * compacted or deleted by age, nothing can be told from records.
 *
 * A topic is another one, too, when it ends before the stored offset, has fewer partitions than were read, or
 * belongs to a cluster with another id.
 *
 * The comparison is made before anything is read, and every minute, or as often as the user says, in the
 * partitions that have nothing left to read. There it looks at what was read before the previous comparison:
 * so a topic that is made again while it is being followed is noticed even if its new records were read
 * already. `checked` in the database remembers that offset.
 */
#pragma once

#include "ledger/database.h"
#include "ledger/options.h"
#include "stream/stream_reader.h"

enum { COMPARED_OFFSETS = 1000 };

struct places;

/* Borrows all of its arguments. */
struct places *places_new(
    struct database *db, struct stream_reader *reader, struct log *log, const struct ledger_options *options);
void places_free(struct places *p);

/*
 * The next three functions return false, after logging why, when following must end. None of them may be
 * called within a transaction.
 */

/* Looks where every partition stands and starts to read it. */
bool places_start(struct places *p) __attribute__((warn_unused_result));
/* To be called often: once in `look_every_s` it starts partitions that were added, and compares. */
bool places_look_again(struct places *p) __attribute__((warn_unused_result));
/* Looks at TOPIC again, because Kafka does not have the offset that was to be read next. */
bool places_restart(struct places *p, enum topic topic) __attribute__((warn_unused_result));

/* A record of the partition came, or its end was reached. */
void places_set_end(struct places *p, enum topic topic, int partition, bool at_end);
bool places_all_at_end(const struct places *p);
