/*
 * Making room for the next program: what Redis holds of the one before leaves it, once Kafka has all of that
 * and nothing can be added. Every step is small, and may be the last one that a process makes: another
 * process that begins anew goes on.
 *
 *     read, look ─▶ mark ─▶ lease ─▶ close ─▶ look again ─▶ free ─▶ open ─▶ finish
 *     what is there  from here on no daemon      │             from here on there is no way back
 *                    uses Redis                  └─▶ still dirty: open, take the mark back, refuse
 */
#pragma once

#include <stdbool.h>

struct begin;
struct clock;
struct outbox;

enum begin_status {
    BEGIN_GOES_ON, /* there is a next step */
    BEGIN_WAITS,   /* the same, after a moment: a daemon still publishes, or Redis has not answered */
    BEGIN_DONE,
    BEGIN_REFUSED /* and all is as it was */
};

/*
 * PROGRAM is the next one; HOLDER is this process's name among those that hold the lease. The outbox's
 * monitor is one of no program. Borrows everything until begin_free().
 */
struct begin *begin_new(struct outbox *o, const struct clock *clock, const char *program, const char *holder);
/* Gives the lease up. */
void begin_free(struct begin *b);

enum begin_status begin_step(struct begin *b) __attribute__((warn_unused_result));

/* What it is at, or why it was refused, in a sentence. Changes with a step. */
const char *begin_words(const struct begin *b);

/* Whether those words are about the same as the last step's, but for a number. */
bool begin_is_counting(const struct begin *b);
