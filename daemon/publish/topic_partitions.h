/*
 * To how many partitions of each topic a deployment publishes: to as many as the topic had when it was first
 * published to, which `minuted:settings` keeps. If somebody gives a topic more of them, every key keeps to
 * its partition, and so do its records to their order, and a compacted topic holds one record of it. What is
 * added stays empty, and that is told, until the deployment moves to topics of another prefix.
 *
 * A topic never gets fewer partitions. One that has fewer was made anew, without what had been published:
 * then its new number is kept, and Kafka counts as one that lost what it had (publish/epochs.h).
 */
#pragma once

#include <stdbool.h>

#include "base/log.h"
#include "publish/record.h"

struct outbox;

/*
 * Compares what the topics of PREFIX HAVE with what is kept, which is written if it is not there. USED
 * becomes what is to be published to. False when Redis did not tell it, or did not keep it durably.
 */
bool topic_partitions_keep(struct outbox *o, const char *prefix, const int has[static RECORD_KINDS],
    int used[static RECORD_KINDS], struct log *log) __attribute__((warn_unused_result));

/* Forgets what is kept: the topics are others now. False as above. */
bool topic_partitions_forget(struct outbox *o) __attribute__((warn_unused_result));
