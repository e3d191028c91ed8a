/* How a running daemon comes to its end. */
#include "run/drain.h"

#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum { NOTICE_MS = 500, CHECK_MS = 20 };

struct drain {
    struct event_base *base;
    struct ops_state *state;
    struct log *log;
    struct workers *workers;
    struct event *on_term;
    struct event *on_int;
    struct event *notice; /* over when the balancers had time to look away */
    struct event *check;
};

static void on_signal(evutil_socket_t signal_number, short what, void *ctx)
{
    struct drain *d = ctx;
    struct timeval delay = {0, NOTICE_MS * 1000};
    (void)what;
    if (atomic_exchange(&d->state->draining, true)) {
        log_event(d->log, LOG_WARN, "second_signal", "action=exit");
        _exit(EXIT_FAILURE);
    }
    log_event(d->log, LOG_INFO, "draining", "signal=%d", (int)signal_number);
    event_add(d->notice, &delay);
}

static void on_notice_over(evutil_socket_t fd, short what, void *ctx)
{
    struct drain *d = ctx;
    struct timeval period = {0, CHECK_MS * 1000};
    (void)fd;
    (void)what;
    assert(d->workers != NULL);
    workers_drain(d->workers, DRAIN_REQUESTS_MS);
    event_add(d->check, &period);
}

/* The loop runs until the last request is answered, so that readiness and metrics are answered as long. */
static void on_check(evutil_socket_t fd, short what, void *ctx)
{
    struct drain *d = ctx;
    (void)fd;
    (void)what;
    if (workers_ended(d->workers))
        event_base_loopbreak(d->base);
}

struct drain *drain_new(struct event_base *base, struct ops_state *state, struct log *log)
{
    struct drain *d = mem_zalloc(sizeof(*d));
    d->base = base;
    d->state = state;
    d->log = log;
    d->on_term = evsignal_new(base, SIGTERM, on_signal, d);
    d->on_int = evsignal_new(base, SIGINT, on_signal, d);
    d->notice = evtimer_new(base, on_notice_over, d);
    d->check = event_new(base, -1, EV_PERSIST, on_check, d);
    event_add(d->on_term, NULL);
    event_add(d->on_int, NULL);
    return d;
}

void drain_set_workers(struct drain *d, struct workers *workers)
{
    d->workers = workers;
}

void drain_free(struct drain *d)
{
    event_free(d->on_term);
    event_free(d->on_int);
    event_free(d->notice);
    event_free(d->check);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    free(d);
}
