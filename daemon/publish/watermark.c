/* How far everything is published, and how far nothing can change any more. */
#include "config/config.h"
#include "credit/mask.h"
#include "publish/counters.h"
#include "publish/cycle_steps.h"

enum { WATERMARK_EVERY_MS = 60000 }; /* also when nothing moves: readers see that all is well */

/*
 * Up to where this round has published all that was accepted before its look; 0 when it does not know. The
 * round's leavings count, not what has grown since: with late runs coming in all the time something always
 * has.
 */
static int64_t published_through(const struct cycle *c, const struct sweep *s)
{
    int64_t due_minute = (s->now_s - c->grace_s) / MINUTE_SECONDS;
    if (!s->complete)
        return 0;
    return (due_minute < s->oldest_left ? due_minute : s->oldest_left) * MINUTE_SECONDS;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_news(const struct cycle *c, int64_t published, int64_t final)
{
    return c->watermark_sent_ms == 0 || published > c->sent_published_through ||
           final > c->sent_final_through || clock_monotonic_ms() - c->watermark_sent_ms >= WATERMARK_EVERY_MS;
}

static void note_sent(struct cycle *c, int64_t published, int64_t final)
{
    c->watermark_sent_ms = clock_monotonic_ms();
    c->sent_published_through = published;
    c->sent_final_through = final;
    atomic_store(&c->with.counters->published_through, published);
    atomic_store(&c->with.counters->final_through, final);
}

enum cycle_status cycle_publish_watermark(struct cycle *c, const struct sweep *s)
{
    int64_t published = published_through(c, s);
    /* never beyond what is published: a retired bucket's sums may still be on their way */
    int64_t final = c->final_through < published ? c->final_through : published;
    /* a Redis that came back empty knows of no watermark and of no floor */
    published = greater(published, c->sent_published_through);
    final = greater(final, c->sent_final_through);
    enum producer_status status = PRODUCER_DONE;
    /* Raised in Redis first: a record that another daemon has written is never followed by a lower one. */
    if (!is_news(c, published, final) || !outbox_watermark(c->with.outbox, &published, &final))
        return CYCLE_IDLE;
    if (published == 0)
        return CYCLE_IDLE; /* nothing is known yet, here or elsewhere */
    cycle_send(c,
        record_watermark(
            &c->writer, c->with.config->kafka.deployment, published, final, clock_now_ms(c->with.clock)),
        &status);
    enum cycle_status result = cycle_commit(c, status);
    if (result == CYCLE_IDLE)
        note_sent(c, published, final);
    return result;
}
