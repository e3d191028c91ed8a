/* Memory is counted by the sanitizer's hooks; only the thread that runs the inputs allocates. */
#include "budget.h"

#include <sanitizer/allocator_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* libFuzzer calls functions without an argument of ours, and so do the hooks: hence these. */
static int64_t live;
static int64_t peak;
static int64_t start_us;

static void count_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    live += (int64_t)size;
    peak = live > peak ? live : peak;
}

static void count_free(const volatile void *ptr)
{
    if (ptr != NULL)
        live -= (int64_t)__sanitizer_get_allocated_size((const void *)ptr);
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void budget_begin(void)
{
    static int installed;
    if (installed == 0)
        installed = __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
    if (installed == 0)
        abort();
    live = 0;
    peak = 0;
    start_us = cpu_us();
}

static void check(const char *what, int64_t taken, size_t fixed, size_t per_byte, size_t size)
{
    size_t limit = fixed + per_byte * size;
    if (taken <= (int64_t)limit)
        return;
    fprintf(stderr, "budget: %lld %s for an input of %zu bytes, at most %zu are allowed\n", (long long)taken,
        what, size, limit);
    abort();
}

void budget_end(const struct budget *budget, size_t size)
{
    int64_t took_us = cpu_us() - start_us;
    check("bytes of memory", peak, budget->bytes, budget->bytes_per_byte, size);
    check("microseconds", took_us, budget->us, budget->us_per_byte, size);
}
