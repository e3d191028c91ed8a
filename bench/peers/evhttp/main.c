/*
 * minuted-peer-evhttp: what minuted's work costs behind libevent's own HTTP server. One thread.
 *
 *     minuted-peer-evhttp HOST PORT REDIS SESSION-KEY-FILE CATALOG PARTITIONS
 */
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "evhttp/heartbeat.h"

enum { BACKLOG = 4096, HEADERS_MAX = 16384, BODY_MAX = 65536, KEY_FILE_MAX = 4096, KEY_MIN = 32 };

_Noreturn static void fail(const char *what, const char *which)
{
    fprintf(stderr, "minuted-peer-evhttp: %s: %s\n", what, which);
    exit(1);
}

static struct token_keys *read_keys(const char *path)
{
    struct buf bytes = {0};
    if (!file_read(path, KEY_FILE_MAX, &bytes))
        fail("cannot be read", path);
    if (bytes.len > 0 && bytes.data[bytes.len - 1] == '\n')
        bytes.len--;
    if (bytes.len < KEY_MIN)
        fail("a session key has at least 32 bytes", path);
    struct slice key = buf_slice(&bytes);
    struct token_keys *keys = token_keys_new(&key, 1);
    buf_free(&bytes);
    return keys;
}

static struct catalog *read_catalog(const char *path)
{
    char *error;
    struct catalog *catalog = catalog_load(path, &error);
    if (catalog == NULL)
        fail("the catalog cannot be used", error);
    return catalog;
}

static struct endpoint read_endpoint(const char *text)
{
    struct endpoint endpoint;
    if (!endpoint_parse(text, &endpoint))
        fail("host:port or unix:/path is wanted", text);
    return endpoint;
}

static int read_partitions(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || n < 1 || n > PARTITIONS_MAX)
        fail("so many partitions cannot be", text);
    return (int)n;
}

static void listen_on(struct evhttp *http, struct event_base *base, const char *host, const char *port)
{
    char text[300];
    struct sockaddr_storage addr;
    socklen_t len;
    snprintf(text, sizeof(text), "%s:%s", host, port);
    struct endpoint endpoint = read_endpoint(text);
    if (!endpoint_resolve(&endpoint, &addr, &len))
        fail("no such address", text);
    struct evconnlistener *listener = evconnlistener_new_bind(base, NULL, NULL,
        LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, (struct sockaddr *)&addr,
        (int)len);
    if (listener == NULL || evhttp_bind_listener(http, listener) == NULL)
        fail("cannot listen", text);
}

static void on_end(evutil_socket_t number, short what, void *ctx)
{
    (void)number;
    (void)what;
    event_base_loopbreak(ctx);
}

static void serve(struct peer *peer, struct event_base *base, const char *host, const char *port)
{
    struct evhttp *http = evhttp_new(base);
    struct event *end = evsignal_new(base, SIGTERM, on_end, base);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_POST);
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_cb(http, "/v1/heartbeats", heartbeat_handle, peer);
    listen_on(http, base, host, port);
    event_add(end, NULL);
    event_base_dispatch(base);
    redis_calls_free(peer->redis); /* answers what is in flight */
    event_free(end);
    evhttp_free(http);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: minuted-peer-evhttp HOST PORT REDIS SESSION-KEY-FILE CATALOG PARTITIONS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct endpoint redis = read_endpoint(argv[3]);
    struct token_keys *keys = read_keys(argv[4]);
    struct catalog *catalog = read_catalog(argv[5]);
    struct peer peer = {
        .signer = token_signer_new(keys),
        .catalog = catalog,
        .redis = redis_calls_new(base, &redis, read_partitions(argv[6])),
    };
    serve(&peer, base, argv[1], argv[2]);
    arena_free(&peer.arena);
    buf_free(&peer.body);
    token_signer_free(peer.signer);
    token_keys_free(keys);
    catalog_free(catalog);
    event_base_free(base);
    return 0;
}
