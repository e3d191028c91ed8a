/* Where to listen or connect. */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

bool endpoint_parse(const char *text, struct endpoint *out)
{
    *out = (struct endpoint){0};
    if (strncmp(text, "unix:", 5) == 0) {
        const char *path = text + 5;
        if (path[0] != '/' || strlen(path) > ENDPOINT_PATH_MAX)
            return false;
        out->is_unix = true;
        memcpy(out->host, path, strlen(path) + 1);
        return true;
    }
    const char *host = text;
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c <= ' ' || c == 0x7f || c == '[' || c == ']')
            return false;
    }
    /* An IPv6 address, and nothing else, has brackets, so that what is formatted is parsed as the same. */
    if (len == 0 || len > ENDPOINT_HOST_MAX || (memchr(host, ':', len) != NULL) != bracketed)
        return false;
    memcpy(out->host, host, len);
    if (colon[1] < '0' || colon[1] > '9')
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    out->port = (uint16_t)port;
    return *end == '\0' && port <= UINT16_MAX;
}

char *endpoint_format(const struct endpoint *e, char text[static 300])
{
    if (e->is_unix)
        snprintf(text, 300, "unix:%s", e->host);
    else if (strchr(e->host, ':') != NULL)
        snprintf(text, 300, "[%s]:%u", e->host, e->port);
    else
        snprintf(text, 300, "%s:%u", e->host, e->port);
    return text;
}

bool endpoint_is_numeric(const struct endpoint *e)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return e->is_unix || inet_pton(AF_INET, e->host, bytes) == 1 || inet_pton(AF_INET6, e->host, bytes) == 1;
}

bool endpoint_address_equal(const struct endpoint_address *a, const struct endpoint_address *b)
{
    return a->len == b->len && memcmp(&a->addr, &b->addr, a->len) == 0;
}

static void add_address(struct endpoint_addresses *list, const void *addr, socklen_t len)
{
    struct endpoint_address address = {.len = len};
    memcpy(&address.addr, addr, len);
    for (size_t i = 0; i < list->n; i++)
        if (endpoint_address_equal(&list->items[i], &address))
            return;
    if (list->n < ENDPOINT_ADDRESSES_MAX)
        list->items[list->n++] = address;
}

bool endpoint_addresses(const struct endpoint *e, struct endpoint_addresses *out)
{
    memset(out, 0, sizeof(*out));
    if (e->is_unix) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        memcpy(un.sun_path, e->host, strlen(e->host) + 1);
        add_address(out, &un, sizeof(un));
        return true;
    }
    char port[8];
    snprintf(port, sizeof(port), "%u", e->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(e->host, port, &hints, &found);
    if (rc != 0) {
        if (rc != EAI_SYSTEM)
            errno = ENOENT;
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
        add_address(out, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return out->n > 0;
}

bool endpoint_resolve(const struct endpoint *e, struct sockaddr_storage *addr, socklen_t *len)
{
    struct endpoint_addresses found;
    if (!endpoint_addresses(e, &found))
        return false;
    *addr = found.items[0].addr;
    *len = found.items[0].len;
    return true;
}

bool endpoint_is_loopback(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_UNIX)
        return true;
    if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
    return addr->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

uint16_t endpoint_port(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)addr)->sin_port);
    return addr->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)addr)->sin6_port) : 0;
}

char *endpoint_numeric_host(const struct sockaddr_storage *addr, char host[static ENDPOINT_NUMERIC_MAX])
{
    host[0] = '\0';
    if (addr->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, host, ENDPOINT_NUMERIC_MAX);
    else if (addr->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)addr)->sin6_addr, host, ENDPOINT_NUMERIC_MAX);
    return host;
}
