/*
 * The configuration in memory. config/minuted.yaml documents every key; the table in config_schema.c says how
 * each is read, and config_load.h reads them all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/log.h"

enum redis_mode { REDIS_AUTO, REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };
enum { REPLICAS_MAX = 16 };

/* What an answer of `accepted` waits for. If it waits for neither of these, it waits for nothing, which is
 * meant for development. */
struct redis_durability {
    bool fsync;   /* the primary's disk */
    int replicas; /* acknowledgements of so many replicas */
};
enum record_format { FORMAT_PROTOBUF, FORMAT_JSON };

struct string_list {
    char **items;
    size_t n;
};

enum { ENDPOINTS_MAX = 16 };

struct endpoint_list {
    struct endpoint *items;
    size_t n;
};

/* Raw bytes of a secret, from the key itself or from the file that `…_file` names. */
struct secret {
    char *bytes;
    size_t len;
};

struct secret_list {
    struct secret *items;
    size_t n;
};

/* Who may vouch for learners. Exactly one of secret, public_key_file, jwks_file is set. */
struct config_issuer {
    char *issuer;          /* `iss` of its tokens */
    char *audience;        /* must be in `aud`; NULL: not asked for */
    char *portal;          /* the portal whose learners it vouches for */
    struct secret secret;  /* HS256; `secret` or `secret_file` */
    char *public_key_file; /* PEM: RS256 or ES256, by the key's type */
    char *jwks_file;       /* JSON Web Key Set; keys chosen by `kid` */
    int line;              /* in the file, for later messages; 0: from elsewhere */
};

/* How every connection to a Redis server, a sentinel or a cluster's node begins. */
struct redis_login {
    char *username;         /* of an ACL user; NULL: the default user */
    struct secret password; /* `password` or `password_file`; no bytes: nothing is sent */
    struct tls *tls; /* made of redis.tls by tls_new() (redis/tls.h) before anything connects, and freed by
                        who made it after the last connection; NULL: without TLS */
};

/* A value that is judged only after all are read, and where it was given. */
struct config_located {
    char *text;   /* a path is as seen from the working directory; NULL: not given */
    char *source; /* "minuted.yaml", "--set redis.tls.ca" */
    int line;     /* 0: from elsewhere than the file */
};

struct config_redis_tls {
    struct config_located ca, cert, key; /* files */
    struct config_located server_name;
};

/* A property of librdkafka, and where it was given: for messages of who understands it. */
struct config_property {
    char *name;
    char *value;
    bool secret;  /* the value was read from a file of its own */
    char *source; /* "minuted.yaml", "--set kafka.properties.linger.ms" */
    int line;     /* 0: from elsewhere than the file */
};

enum { CONFIG_KEYS_MAX = 64 };

struct config {
    uint64_t fingerprints[CONFIG_KEYS_MAX]; /* of what each row of the schema was given; 0: nothing */
    char *file;                             /* NULL: defaults and overrides only */
    size_t n_ignored; /* variables of the environment that Kubernetes made for its Services, and no key is */
    char *first_ignored; /* the name of the first of them; NULL when there is none */
    bool dev;            /* --dev was given: the clock may be moved, and tokens are handed out to anybody */
    struct {
        struct endpoint_list listen;
        char *base_path;                    /* "" or "/x" */
        int workers;                        /* 0: one per CPU */
        struct string_list allowed_origins; /* "*" allows every origin */
        int max_connections;
        int64_t max_body; /* bytes */
        int64_t header_timeout_ms;
        int64_t request_timeout_ms;
        int64_t idle_timeout_ms;
    } http;
    struct {
        struct endpoint listen;
    } admin;
    struct {
        struct secret_list session_keys; /* session_key or session_key_file; the first signs */
        struct config_issuer *issuers;
        size_t n_issuers;
    } auth;
    struct {
        int64_t interval_ms;
        int64_t max_interval_ms;
        int64_t max_run_ms;
        int64_t horizon_ms;
        int64_t clock_slack_ms;
        double max_rate;
    } heartbeats;
    struct {
        struct endpoint_list servers;
        struct redis_login login;
        struct config_redis_tls tls;
        enum redis_mode mode;
        char *primary; /* as sentinels call it; NULL: they watch one only */
        struct redis_durability durability;
        int partitions;
        int64_t linger_us;
        int64_t early_retire_ms; /* what is older may be retired when Redis is full; 0: never */
    } redis;
    struct {
        char *brokers;                      /* "host:port,…" or "embedded" */
        struct config_property *properties; /* passed to librdkafka as they are; `x_file` was read */
        size_t n_properties;
        enum record_format format;
        char *deployment;
        char *topic_prefix;
    } kafka;
    struct {
        int64_t grace_ms;
        int64_t running_minutes_ms; /* 0: off */
        int64_t max_rate;           /* records a second; 0: no limit */
    } publish;
    char *catalog; /* path, relative to the configuration file's folder when it was named there */
    struct {
        enum log_level level;
    } log;
};
