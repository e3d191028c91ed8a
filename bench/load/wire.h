/* One connection to a server: bytes out, bytes in, never blocking. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

struct wire_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct wire {
    int fd; /* negative: closed */
    struct buf out;
    size_t out_at; /* of `out`, what was sent */
    struct buf in;
    bool polled_out; /* the caller's epoll is asked for writability too */
};

enum wire_status { WIRE_DONE, WIRE_AGAIN, WIRE_LOST };

/*
 * Begins to connect to TO, from SOURCE where it is not NULL, and has EPOLL tell of it with DATA. False with
 * errno when that fails at once.
 */
bool wire_open(struct wire *w, const struct wire_address *to, const struct wire_address *source, int epoll,
    uint64_t data) __attribute__((warn_unused_result));
void wire_close(struct wire *w);
void wire_free(struct wire *w);

/* Writes what `out` still holds. */
enum wire_status wire_flush(struct wire *w, int epoll, uint64_t data);
/* Reads what there is, behind what `in` holds. WIRE_DONE where something came. */
enum wire_status wire_read(struct wire *w);
