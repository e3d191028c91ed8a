/* One connection to a server. */
#include "load/wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_SIZE = 2048 /* of most replies; `in` grows for others */ };

static void set_option(int fd, int level, int name)
{
    int on = 1;
    setsockopt(fd, level, name, &on, sizeof(on)); /* without it everything works, if slower */
}

bool wire_open(struct wire *w, const struct wire_address *to, const struct wire_address *source, int epoll,
    uint64_t data)
{
    w->fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return false;
    if (to->addr.ss_family != AF_UNIX)
        set_option(w->fd, IPPROTO_TCP, TCP_NODELAY);
    if (source != NULL) {
        set_option(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        if (bind(w->fd, (const struct sockaddr *)&source->addr, source->len) != 0)
            goto fail;
    }
    if (connect(w->fd, (const struct sockaddr *)&to->addr, to->len) != 0 && errno != EINPROGRESS)
        goto fail;
    w->polled_out = false;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event) == 0)
        return true;
fail:
    wire_close(w);
    return false;
}

void wire_close(struct wire *w)
{
    int error = errno;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    buf_clear(&w->in);
    buf_clear(&w->out);
    w->out_at = 0;
    errno = error;
}

void wire_free(struct wire *w)
{
    wire_close(w);
    buf_free(&w->in);
    buf_free(&w->out);
}

static void poll_out(struct wire *w, bool wanted, int epoll, uint64_t data)
{
    if (w->polled_out == wanted)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.u64 = data};
    epoll_ctl(epoll, EPOLL_CTL_MOD, w->fd, &event);
    w->polled_out = wanted;
}

enum wire_status wire_flush(struct wire *w, int epoll, uint64_t data)
{
    while (w->out_at < w->out.len) {
        ssize_t n = send(w->fd, w->out.data + w->out_at, w->out.len - w->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) { /* or not connected yet */
            poll_out(w, true, epoll, data);
            return WIRE_AGAIN;
        }
        if (n < 0)
            return WIRE_LOST;
        w->out_at += (size_t)n;
    }
    buf_clear(&w->out);
    w->out_at = 0;
    poll_out(w, false, epoll, data);
    return WIRE_DONE;
}

enum wire_status wire_read(struct wire *w)
{
    char *room = buf_reserve(&w->in, READ_SIZE);
    ssize_t n;
    do {
        n = recv(w->fd, room, w->in.cap - w->in.len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? WIRE_AGAIN : WIRE_LOST;
    w->in.len += (size_t)n;
    return n > 0 ? WIRE_DONE : WIRE_LOST;
}
