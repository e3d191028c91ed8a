/* One connection to a server: bytes out, bytes in, never blocking. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

struct link_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct link {
    int fd; /* negative: closed */
    struct buf out;
    size_t out_at; /* of `out`, what was sent */
    struct buf in;
    bool polled_out; /* the caller's epoll is asked for writability too */
};

enum link_status { LINK_DONE, LINK_AGAIN, LINK_LOST };

/*
 * Begins to connect to TO, from SOURCE where it is not NULL, and has EPOLL tell of it with DATA. False with
 * errno when that fails at once.
 */
bool link_open(struct link *link, const struct link_address *to, const struct link_address *source, int epoll,
    uint64_t data) __attribute__((warn_unused_result));
void link_close(struct link *link);
void link_free(struct link *link);

/* Writes what `out` still holds; asks EPOLL for writability if not all could be written. */
enum link_status link_flush(struct link *link, int epoll, uint64_t data);
/* Appends to `in` what there is to read. LINK_DONE if something came. */
enum link_status link_read(struct link *link);
