/* The watermarks of the deployment, as Redis holds them for whoever publishes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct outbox;

/* Unix seconds. */
struct watermark {
    int64_t published_through; /* all that was accepted for the time before is in Kafka */
    int64_t final_through;     /* and no run can add to the time before this */
};

/*
 * Raises the stored watermarks to W, and W to the stored ones, so that a watermark never falls when another
 * daemon takes over. False, with W as it was, when Redis did not answer or the result is not durable.
 */
bool watermark_raise(struct outbox *o, struct watermark *w) __attribute__((warn_unused_result));
