/* Memory is counted by the sanitizer's hooks; only the thread that runs the inputs allocates. */
#include "budget.h"

#include <sanitizer/allocator_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void __wrap___sanitizer_cov_trace_pc(void);

/* What is allocated is most often filled, or filled from what it replaces. */
#define BYTES_PER_STEP 64

/* libFuzzer calls functions without an argument of ours, and so do the hooks: hence these. */
static int64_t live;
static int64_t peak;
static int64_t steps;

/* Instrumented code calls this at each edge of its control flow; libFuzzer has one that does nothing. */
__attribute__((no_sanitize("coverage"))) void __wrap___sanitizer_cov_trace_pc(void)
{
    steps++;
}

static void count_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    live += (int64_t)size;
    peak = live > peak ? live : peak;
    steps += (int64_t)(size / BYTES_PER_STEP);
}

static void count_free(const volatile void *ptr)
{
    if (ptr != NULL)
        live -= (int64_t)__sanitizer_get_allocated_size((const void *)ptr);
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
    steps = 0;
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
    check("bytes of memory", peak, budget->bytes, budget->bytes_per_byte, size);
    check("steps", steps, budget->steps, budget->steps_per_byte, size);
}
