/* The server's clock. */
#include "base/clock.h"

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_ms(const struct clock *clock)
{
    int64_t held_ms = atomic_load_explicit(&clock->system_ms, memory_order_relaxed);
    int64_t lead_ms = atomic_load_explicit(&clock->lead_ms, memory_order_relaxed);
    int64_t now_ms = lead_ms != 0 ? clock_boot_ms() + lead_ms : clock_system_ms();
    return (held_ms != 0 ? held_ms : now_ms) + atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
}

void clock_keep(struct clock *clock, int64_t lead_ms, enum clock_belief belief)
{
    atomic_store(&clock->lead_ms, lead_ms);
    atomic_store(&clock->belief, belief);
}

enum clock_belief clock_belief(const struct clock *clock)
{
    return atomic_load(&clock->belief);
}

int64_t clock_system_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_steady_ms(const struct clock *clock)
{
    int64_t held_ms = atomic_load(&clock->steady_ms);
    return held_ms != 0 ? held_ms : clock_monotonic_ms();
}

struct timespec clock_deadline(int64_t ms)
{
    int64_t at_us = clock_monotonic_us() + ms * 1000;
    return (struct timespec){.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
}

void clock_init_condition(pthread_cond_t *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
}
