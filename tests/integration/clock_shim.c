/* Preloaded into a redis-server: its wall clock stands CLOCK_SHIM_SECONDS away from the machine's. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the header's are reserved */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec now;
    const char *offset = getenv("CLOCK_SHIM_SECONDS");
    (void)zone;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0)
        return -1;
    tv->tv_sec = now.tv_sec + (offset == NULL ? 0 : strtol(offset, NULL, 10));
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}
