/*
 * Preloaded into a program: its wall clock stands away from the machine's, by CLOCK_SHIM_SECONDS, or by the
 * milliseconds that the file CLOCK_SHIM_FILE holds as a native int64_t at each moment, so that a running
 * program's clock can be stepped. By a second such number CLOCK_BOOTTIME stands away, so that time can pass.
 * Other clocks are left alone, and waiting until an instant of the wall clock lasts as long as it should.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* The monotonic clock is younger than this, and the wall clock older. */
enum { WALL_CLOCK_S = 1000000000 };

struct offsets {
    _Atomic int64_t wall_ms;
    _Atomic int64_t boot_ms;
};

static struct offsets fixed;
static const struct offsets *offsets = &fixed;

__attribute__((constructor)) static void shim_start(void)
{
    const char *seconds = getenv("CLOCK_SHIM_SECONDS");
    const char *path = getenv("CLOCK_SHIM_FILE");
    if (seconds != NULL)
        fixed.wall_ms = strtol(seconds, NULL, 10) * 1000;
    if (path == NULL)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *shared = mmap(NULL, sizeof(*offsets), PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || shared == MAP_FAILED)
        abort(); /* a test that steps nothing must not pass */
    close(fd);
    offsets = shared;
}

static void move(struct timespec *at, int64_t ms)
{
    int64_t ns = at->tv_nsec + ms % 1000 * 1000000;
    at->tv_sec += (time_t)(ms / 1000 + (ns < 0 ? -1 : ns >= 1000000000));
    at->tv_nsec = (long)((ns + 1000000000) % 1000000000);
}

static struct timespec on_the_machine(const struct timespec *at)
{
    struct timespec moved = *at;
    if (at->tv_sec > WALL_CLOCK_S)
        move(&moved, -offsets->wall_ms);
    return moved;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers' names are reserved */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        move(now, offsets->wall_ms);
    if (result == 0 && id == CLOCK_BOOTTIME)
        move(now, offsets->boot_ms);
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    *tv = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *out, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec at = on_the_machine(until);
    return next(cond, mutex, &at);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    int (*next)(cnd_t *, mtx_t *, const struct timespec *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "cnd_timedwait");
    struct timespec at = on_the_machine(until);
    return next(cond, mutex, &at);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
