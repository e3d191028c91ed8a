/*
 * Where to listen or connect: `host:port`, `[::1]:port` or `unix:/path`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ENDPOINT_HOST_MAX = 255, ENDPOINT_PATH_MAX = 107 };

struct endpoint {
    bool is_unix;
    char host[ENDPOINT_HOST_MAX + 1]; /* a name or an address without brackets; or the socket's path */
    uint16_t port;                    /* 0 for a unix socket; as listener: any free port */
};

/* Parses TEXT; false leaves *OUT undefined. */
bool endpoint_parse(const char *text, struct endpoint *out) __attribute__((warn_unused_result));

/* `host:port`, `[v6]:port` or `unix:/path` into TEXT (at least 300 bytes). Returns TEXT. */
char *endpoint_format(const struct endpoint *e, char text[static 300]);

/* Where a host name may lead; a zeroed address is none. */
enum { ENDPOINT_ADDRESSES_MAX = 16 };
struct endpoint_address {
    struct sockaddr_storage addr;
    socklen_t len;
};
struct endpoint_addresses {
    size_t n;
    struct endpoint_address items[ENDPOINT_ADDRESSES_MAX];
};

bool endpoint_address_equal(const struct endpoint_address *a, const struct endpoint_address *b);

/* Whether it is a unix socket or an IP address, so that nothing has to be looked up. */
bool endpoint_is_numeric(const struct endpoint *e);

/*
 * All of its socket addresses, at least one, in the order of getaddrinfo(); a host name is looked up, which
 * blocks. Returns false with errno set (ENOENT when the name is not known).
 */
bool endpoint_addresses(const struct endpoint *e, struct endpoint_addresses *out)
    __attribute__((warn_unused_result));

/* The first of them. */
bool endpoint_resolve(const struct endpoint *e, struct sockaddr_storage *addr, socklen_t *len)
    __attribute__((warn_unused_result));

/* Whether the address is one of the loopback interface or a unix socket. */
bool endpoint_is_loopback(const struct sockaddr_storage *addr);

/* The port of an IPv4 or IPv6 address, else 0. */
uint16_t endpoint_port(const struct sockaddr_storage *addr);

/* The numeric host of an IPv4 or IPv6 address into HOST; "" for others. Returns HOST. */
enum { ENDPOINT_NUMERIC_MAX = 46 };
char *endpoint_numeric_host(const struct sockaddr_storage *addr, char host[static ENDPOINT_NUMERIC_MAX]);
