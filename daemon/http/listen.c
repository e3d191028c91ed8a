/* A listening socket, on TCP or on a path. */
#include "http/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"

enum { BACKLOG = 4096 }; /* cut by net.core.somaxconn */

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

static int stream_socket(const struct address *a)
{
    return socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set_option(int fd, int option)
{
    return setsockopt(fd, SOL_SOCKET, option, &(int){1}, sizeof(int)) == 0;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A daemon that was killed leaves its socket's file behind, in the way of the next one. */
static bool remove_stale(const char *path, const struct address *a)
{
    if (!is_socket(path))
        return true; /* bind() says what is wrong with any other file */
    int fd = stream_socket(a);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&a->storage, a->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    if (stale)
        return unlink(path) == 0;
    errno = EADDRINUSE;
    return false;
}

static bool bind_and_listen(int fd, const struct address *a, bool reuseport)
{
    if (!set_option(fd, SO_REUSEADDR) || (reuseport && !set_option(fd, SO_REUSEPORT)))
        return false;
    return bind(fd, (const struct sockaddr *)&a->storage, a->len) == 0 && listen(fd, BACKLOG) == 0;
}

int http_listen_socket(const struct endpoint *endpoint, bool reuseport)
{
    struct address a;
    if (!endpoint_resolve(endpoint, &a.storage, &a.len))
        return -1;
    if (endpoint->is_unix && !remove_stale(endpoint->host, &a))
        return -1;
    int fd = stream_socket(&a);
    if (fd < 0)
        return -1;
    if (!bind_and_listen(fd, &a, reuseport && !endpoint->is_unix)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
