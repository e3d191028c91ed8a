/*
 * TLS to Redis, as redis.tls asks for it: by hiredis_ssl, which hiredis has from 1.0 on.
 *
 * A struct tls belongs to the whole process: whoever loads the configuration makes it before anything
 * connects, hands it on in config->redis.login, and frees it after the last connection is closed. It holds
 * OpenSSL's SSL_CTX (certificates and key), which is never changed once it is made: if the files change,
 * tls_refresh() puts another one in its place, under a lock. A connection keeps the one that it began with,
 * by OpenSSL's count of references. So tls_begin() may be called by any thread at any time.
 *
 * A handshake blocks nobody: it goes one step each time its socket is ready. Its time limit is the caller's.
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>

struct config;
struct log;
struct problems;
struct ssl_st;
struct tls;

/*
 * Reads redis.tls and its files. *OUT is NULL if redis.tls is not given. False after what is wrong was added
 * to PROBLEMS: where it was given, which file, and why; also that this build has no TLS.
 */
bool tls_new(const struct config *config, struct problems *problems, struct tls **out)
    __attribute__((warn_unused_result));
void tls_free(struct tls *tls);

/*
 * Reads the files anew if they have changed, for the connections to come. If they cannot be used, that is
 * told in the log, and those that were read before stay in use. For one thread that may block. TLS may be
 * NULL.
 */
void tls_refresh(struct tls *tls, struct log *log);

enum { TLS_ERROR_MAX = 240 };

/* What a handshake waits for, or how it has ended. */
enum tls_step { TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_DONE, TLS_FAILED };

/* Stays where it is until the handshake has ended or the connection is freed. */
struct tls_handshake {
    struct ssl_st *ssl; /* the connection's, which frees it */
    char name[256];     /* that the server's certificate must be for */
    char error[TLS_ERROR_MAX];
};

/*
 * Begins a handshake over REDIS, whose socket is connected, does not block and has carried no byte. The
 * server's certificate must be for redis.tls.server_name, or, where that is not given, for HOST: a name, or
 * an IP address.
 */
void tls_begin(struct tls *tls, redisContext *redis, const char *host, struct tls_handshake *handshake);

/* Goes on as far as the socket lets it. After TLS_FAILED the handshake's error says why. */
enum tls_step tls_go_on(struct tls_handshake *handshake) __attribute__((warn_unused_result));

/* Whether REDIS's bytes go through TLS. */
bool tls_is_on(const redisContext *redis);

/*
 * redisBufferRead() and redisBufferWrite(), for connections with and without TLS: REDIS_OK, or REDIS_ERR with
 * redis->err and redis->errstr set. What a peer says by TLS when it ends the connection is in the text.
 */
int tls_read(redisContext *redis) __attribute__((warn_unused_result));
int tls_write(redisContext *redis, int *all_sent) __attribute__((warn_unused_result));
