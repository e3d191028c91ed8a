/* A listening socket, on TCP or on a path. */
#include "http/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"

enum { BACKLOG = 4096 }; /* cut by net.core.somaxconn */

static int stream_socket(const struct endpoint_address *a)
{
    return socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set_option(int fd, int option)
{
    return setsockopt(fd, SOL_SOCKET, option, &(int){1}, sizeof(int)) == 0;
}

/* A daemon that was killed leaves its socket's file behind, in the way of the next one. */
static bool remove_stale(const char *path, const struct endpoint_address *a)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return true; /* bind() says what is wrong with any other file */
    int fd = stream_socket(a);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&a->addr, a->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    if (stale)
        return unlink(path) == 0;
    errno = EADDRINUSE;
    return false;
}

int http_listen_socket(struct endpoint *endpoint, bool reuseport)
{
    struct endpoint_address a;
    if (!endpoint_resolve(endpoint, &a.addr, &a.len))
        return -1;
    if (endpoint->is_unix && !remove_stale(endpoint->host, &a))
        return -1;
    int fd = stream_socket(&a);
    if (fd < 0)
        return -1;
    bool listening = set_option(fd, SO_REUSEADDR) &&
                     (!reuseport || endpoint->is_unix || set_option(fd, SO_REUSEPORT)) &&
                     bind(fd, (const struct sockaddr *)&a.addr, a.len) == 0 && listen(fd, BACKLOG) == 0;
    if (!listening) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    if (!endpoint->is_unix && getsockname(fd, (struct sockaddr *)&a.addr, &a.len) == 0)
        endpoint->port = endpoint_port(&a.addr);
    return fd;
}
