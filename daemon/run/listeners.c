/* The players' listening sockets. */
#include "run/listeners.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http/listen.h"

/* The socket of worker W on endpoint I, whose first socket is open where W is not 0. */
static int open_one(struct listeners *l, int w, size_t i)
{
    struct endpoint *endpoint = &l->endpoints[i];
    if (endpoint->is_unix && w > 0)
        return dup(l->fds[0][i]);
    return http_listen_socket(endpoint, true);
}

bool listeners_open(struct listeners *l, const struct endpoint_list *endpoints, int workers, struct log *log)
{
    assert(workers > 0 && workers <= WORKERS_MAX);
    l->n = endpoints->n;
    memcpy(l->endpoints, endpoints->items, l->n * sizeof(l->endpoints[0]));
    for (int w = 0; w < workers; w++) {
        for (size_t i = 0; i < l->n; i++) {
            char name[300];
            l->fds[w][i] = open_one(l, w, i);
            if (l->fds[w][i] >= 0)
                continue;
            log_event(log, LOG_ERROR, "start_failed", "error=\"cannot listen on %s: %s\"",
                endpoint_format(&l->endpoints[i], name), strerror(errno));
            return false;
        }
    }
    return true;
}

void listeners_unlink(const struct listeners *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->endpoints[i].is_unix)
            unlink(l->endpoints[i].host);
}
