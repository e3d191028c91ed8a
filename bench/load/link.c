/* One connection to a server. */
#include "load/link.h"

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

bool link_open(struct link *link, const struct link_address *to, const struct link_address *source, int epoll,
    uint64_t data)
{
    link->fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return false;
    if (to->addr.ss_family != AF_UNIX)
        set_option(link->fd, IPPROTO_TCP, TCP_NODELAY);
    if (source != NULL) {
        set_option(link->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        if (bind(link->fd, (const struct sockaddr *)&source->addr, source->len) != 0)
            goto fail;
    }
    if (connect(link->fd, (const struct sockaddr *)&to->addr, to->len) != 0 && errno != EINPROGRESS)
        goto fail;
    link->polled_out = false;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event) == 0)
        return true;
fail:
    link_close(link);
    return false;
}

void link_close(struct link *link)
{
    int error = errno;
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    buf_clear(&link->in);
    buf_clear(&link->out);
    link->out_at = 0;
    errno = error;
}

void link_free(struct link *link)
{
    link_close(link);
    buf_free(&link->in);
    buf_free(&link->out);
}

static void poll_out(struct link *link, bool wanted, int epoll, uint64_t data)
{
    if (link->polled_out == wanted)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.u64 = data};
    epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event);
    link->polled_out = wanted;
}

enum link_status link_flush(struct link *link, int epoll, uint64_t data)
{
    while (link->out_at < link->out.len) {
        ssize_t n = send(link->fd, link->out.data + link->out_at, link->out.len - link->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) { /* or not connected yet */
            poll_out(link, true, epoll, data);
            return LINK_AGAIN;
        }
        if (n < 0)
            return LINK_LOST;
        link->out_at += (size_t)n;
    }
    buf_clear(&link->out);
    link->out_at = 0;
    poll_out(link, false, epoll, data);
    return LINK_DONE;
}

enum link_status link_read(struct link *link)
{
    char *room = buf_reserve(&link->in, READ_SIZE);
    ssize_t n;
    do {
        n = recv(link->fd, room, link->in.cap - link->in.len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? LINK_AGAIN : LINK_LOST;
    link->in.len += (size_t)n;
    return n > 0 ? LINK_DONE : LINK_LOST;
}
