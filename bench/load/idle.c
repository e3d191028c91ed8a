/* Connections that do nothing. */
#include "load/idle.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 5, REPLY_MAX = 4096 };

static bool ask_once(int fd, struct slice request)
{
    char bytes[REPLY_MAX];
    struct reply reply;
    size_t len = 0;
    if (send(fd, request.ptr, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        return false;
    while (len < sizeof(bytes)) {
        ssize_t n = recv(fd, bytes + len, sizeof(bytes) - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        enum reply_state state = message_read_reply((struct slice){bytes, len}, &reply);
        if (state != REPLY_PARTIAL)
            return state == REPLY_WHOLE && !reply.close;
    }
    return false;
}

static int open_one(const struct pool_plan *plan, size_t i, struct slice request)
{
    const struct link_address *source;
    const struct link_address *to = pool_choose(plan, i, &source);
    struct timeval timeout = {TIMEOUT_S, 0};
    int on = 1;
    int fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    bool good = true;
    if (source != NULL) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        good = bind(fd, (const struct sockaddr *)&source->addr, source->len) == 0;
    }
    if (good && connect(fd, (const struct sockaddr *)&to->addr, to->len) == 0 && ask_once(fd, request))
        return fd;
    close(fd);
    return -1;
}

size_t idle_open(const struct pool_plan *plan, const struct message_place *place, int *fds, size_t n)
{
    struct message_place kept = *place;
    struct buf request = {0};
    size_t opened;
    kept.close = false;
    message_nothing(&request, &kept);
    for (opened = 0; opened < n; opened++) {
        fds[opened] = open_one(plan, opened, buf_slice(&request));
        if (fds[opened] < 0)
            break;
    }
    buf_free(&request);
    return opened;
}

size_t idle_close(int *fds, size_t n)
{
    size_t gone = 0;
    char byte;
    for (size_t i = 0; i < n; i++) {
        gone += recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
        close(fds[i]);
    }
    return gone;
}
