/*
 * Preloaded into a program that was compiled with -finstrument-functions, it writes down which functions each
 * thread enters and leaves, and what it receives from and sends to sockets. tests/journeys/run reads this.
 *
 * Each thread has a file of its own in the folder $JOURNEYS_DIR, named after its thread id, of fixed-size
 * entries; the first entry with kind 0 is its end. A thread whose file is full writes nothing more.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES_MAX = 4 << 20 };
enum kind { KIND_ENTER = 1, KIND_LEAVE, KIND_RECEIVE, KIND_SEND };

struct entry {
    uint64_t kind;
    uint64_t value; /* of a function its address in the program's file, of a socket its own port */
    int64_t at_ns;  /* CLOCK_MONOTONIC */
};
static_assert(sizeof(struct entry) == 24, "tests/journeys/run reads it");

static _Thread_local struct entry *entries;
static _Thread_local size_t n_entries;

static int read_base(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uint64_t *)base = info->dlpi_addr;
    return 1; /* the program itself comes first */
}

static uint64_t program_base(void)
{
    static _Atomic uint64_t known = 1;
    if (known == 1) {
        uint64_t base = 0;
        dl_iterate_phdr(read_base, &base);
        known = base;
    }
    return known;
}

static struct entry *open_entries(void)
{
    const char *directory = getenv("JOURNEYS_DIR");
    char path[4096];
    size_t bytes = ENTRIES_MAX * sizeof(struct entry);
    snprintf(path, sizeof(path), "%s/%ld", directory == NULL ? "." : directory, syscall(SYS_gettid));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        abort();
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        abort();
    return mapped;
}

static void note(enum kind kind, uint64_t value)
{
    struct timespec now;
    if (entries == NULL)
        entries = open_entries();
    if (n_entries == ENTRIES_MAX - 1)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t at_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    entries[n_entries++] = (struct entry){kind, value, at_ns};
}

static void note_socket(enum kind kind, int fd, ssize_t n)
{
    struct sockaddr_in own = {0};
    socklen_t len = sizeof(own);
    if (n > 0 && getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sin_family == AF_INET)
        note(kind, ntohs(own.sin_port));
}

/* ---- what the compiler calls ---- */

void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);

void __cyg_profile_func_enter(void *function, void *caller)
{
    (void)caller;
    note(KIND_ENTER, (uint64_t)function - program_base());
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)caller;
    note(KIND_LEAVE, (uint64_t)function - program_base());
}

/* ---- the C library's calls that move a request's bytes ---- */

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
    ssize_t got = next(fd, bytes, n, flags);
    if ((flags & MSG_PEEK) == 0)
        note_socket(KIND_RECEIVE, fd, got);
    return got;
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    ssize_t sent = next(fd, bytes, n, flags);
    note_socket(KIND_SEND, fd, sent);
    return sent;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    ssize_t sent = next(fd, message, flags);
    note_socket(KIND_SEND, fd, sent);
    return sent;
}
