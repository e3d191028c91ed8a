/* TLS to Redis. */
#include "redis/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "config/problems.h"

static const struct config_located *first_given(const struct config_redis_tls *files)
{
    const struct config_located *all[] = {&files->ca, &files->cert, &files->key, &files->server_name};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->text != NULL)
            return all[i];
    return NULL;
}

#ifdef MINUTED_HAVE_REDIS_TLS

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/endpoint.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILE_BYTES_MAX = 4 << 20, N_FILES = 3, NAMES_SHOWN_MAX = 3 };

/* What tells a file from the one that was there before. */
struct file_print {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct tls {
    struct config_redis_tls given; /* the texts are the configuration's */
    pthread_mutex_t lock;
    SSL_CTX *context;                  /* under the lock */
    struct file_print prints[N_FILES]; /* of what was read last; tls_refresh()'s thread */
};

/* ---- the files ---- */

/* Where a file was given, and by which key. */
struct tls_file {
    const struct config_located *given;
    const char *key;
    struct problems *problems;
};

#define ADD_PROBLEM(s, format, ...)                                                                          \
    problems_add((s)->problems, (s)->given->source, (s)->given->line, "%s: %s" format, (s)->key,             \
        (s)->given->text, __VA_ARGS__)

static void format_time(const ASN1_TIME *time, char text[static 32])
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, 32, "an unknown time");
}

/* The file as OpenSSL reads it; NULL after a problem was added. */
static BIO *open_file(const struct tls_file *s, struct buf *bytes)
{
    if (file_read(s->given->text, FILE_BYTES_MAX, bytes))
        return BIO_new_mem_buf(bytes->data, (int)bytes->len);
    ADD_PROBLEM(s, " cannot be read: %s", strerror(errno));
    return NULL;
}

/* All certificates of the file, at least one; NULL after a problem was added. */
static STACK_OF(X509) * read_certificates(const struct tls_file *s)
{
    struct buf bytes = {0};
    STACK_OF(X509) *certificates = sk_X509_new_null();
    BIO *bio = open_file(s, &bytes);
    X509 *certificate;
    ERR_clear_error();
    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        sk_X509_push(certificates, certificate);
    unsigned long error = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    bool good = bio != NULL && ended && sk_X509_num(certificates) > 0;
    if (bio != NULL && ended && !good)
        ADD_PROBLEM(s, "%s", " holds no certificate in PEM");
    else if (bio != NULL && !good)
        ADD_PROBLEM(s, " holds a certificate that cannot be read: %s", ERR_reason_error_string(error));
    ERR_clear_error();
    BIO_free(bio);
    buf_free(&bytes);
    if (good)
        return certificates;
    sk_X509_pop_free(certificates, X509_free);
    return NULL;
}

/* OpenSSL would else ask at the terminal. */
static int ask_for_password(char *password, int size, int writing, void *asked)
{
    (void)password;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *read_key(const struct tls_file *s)
{
    struct buf bytes = {0};
    bool encrypted = false;
    BIO *bio = open_file(s, &bytes);
    if (bio == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, ask_for_password, &encrypted);
    if (key == NULL)
        ADD_PROBLEM(s, "%s",
            encrypted ? " is encrypted: minuted has no password for it" : " holds no private key in PEM");
    ERR_clear_error();
    BIO_free(bio);
    if (bytes.data != NULL)
        explicit_bzero(bytes.data, bytes.len);
    buf_free(&bytes);
    return key;
}

/* Says that CERTIFICATE may not be used now, and since or until when. */
static bool is_in_time(const X509 *certificate, char why[static 64])
{
    char time[32];
    bool lapsed = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
    bool early = X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0;
    format_time(lapsed ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate), time);
    snprintf(why, 64, "%s %s", lapsed ? "lapsed at" : "is not valid before", time);
    return !lapsed && !early;
}

static bool use_ca(SSL_CTX *context, const struct tls_file *s)
{
    STACK_OF(X509) *certificates = read_certificates(s);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    char why[64] = "";
    bool any = false;
    if (certificates == NULL)
        return false;
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        any = is_in_time(sk_X509_value(certificates, i), why) || any;
        X509_STORE_add_cert(store, sk_X509_value(certificates, i));
    }
    if (!any)
        ADD_PROBLEM(s, "%s %s", sk_X509_num(certificates) > 1 ? ": all lapsed; the last" : "", why);
    /* Whoever is named is trusted, also a CA that another one has signed. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    sk_X509_pop_free(certificates, X509_free);
    return any;
}

/* The first certificate of the file is the client's own; those behind it lead to its CA. */
static bool use_certificate(SSL_CTX *context, const struct tls_file *cert, const struct tls_file *key)
{
    STACK_OF(X509) *chain = read_certificates(cert);
    EVP_PKEY *private = read_key(key);
    char why[64];
    bool good = chain != NULL && private != NULL;
    X509 *own = good ? sk_X509_shift(chain) : NULL;
    if (good && X509_check_private_key(own, private) != 1) {
        ADD_PROBLEM(key, " does not fit the certificate in redis.tls.cert, %s", cert->given->text);
        good = false;
    } else if (good && !is_in_time(own, why)) {
        ADD_PROBLEM(cert, " %s", why);
        good = false;
    } else if (good && SSL_CTX_use_cert_and_key(context, own, private, chain, 1) != 1) {
        ADD_PROBLEM(cert, " cannot be used: %s", ERR_reason_error_string(ERR_peek_last_error()));
        good = false;
    }
    ERR_clear_error();
    X509_free(own);
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(private);
    return good;
}

/* What connections begin with from now on; NULL after a problem was added. */
static SSL_CTX *load(const struct config_redis_tls *given, struct problems *problems)
{
    struct tls_file ca = {&given->ca, "redis.tls.ca", problems};
    struct tls_file cert = {&given->cert, "redis.tls.cert", problems};
    struct tls_file key = {&given->key, "redis.tls.key", problems};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        abort(); /* out of memory */
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* Without a renegotiation reading never waits for writing, nor the other way round. How a connection ends
     * says nothing in this protocol, where every reply tells its length. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* What is still to be written may move in memory as more is queued behind it. */
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    bool good = use_ca(context, &ca);
    if (given->cert.text != NULL)
        good = use_certificate(context, &cert, &key) && good;
    if (good)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static void print_files(const struct config_redis_tls *given, struct file_print prints[static N_FILES])
{
    const char *paths[N_FILES] = {given->ca.text, given->cert.text, given->key.text};
    struct stat found;
    memset(prints, 0, N_FILES * sizeof(prints[0])); /* padding included: they are compared as bytes */
    for (size_t i = 0; i < N_FILES; i++) {
        if (paths[i] == NULL || stat(paths[i], &found) != 0)
            continue;
        prints[i].device = found.st_dev;
        prints[i].inode = found.st_ino;
        prints[i].size = found.st_size;
        prints[i].changed = found.st_mtim;
    }
}

/* ---- making it ---- */

static bool judge(const struct config *config, struct problems *problems)
{
    const struct config_redis_tls *given = &config->redis.tls;
    const struct config_located *first = first_given(given);
    size_t before = problems->n;
    if (given->ca.text == NULL)
        problems_add(problems, first->source, first->line,
            "redis.tls is given without redis.tls.ca, the certificates of the CAs that Redis's servers are "
            "trusted by");
    if (given->cert.text != NULL && given->key.text == NULL)
        problems_add(
            problems, given->cert.source, given->cert.line, "redis.tls.cert is given without redis.tls.key");
    if (given->key.text != NULL && given->cert.text == NULL)
        problems_add(
            problems, given->key.source, given->key.line, "redis.tls.key is given without redis.tls.cert");
    if (given->server_name.text != NULL && strlen(given->server_name.text) > ENDPOINT_HOST_MAX)
        problems_add(problems, given->server_name.source, given->server_name.line,
            "redis.tls.server_name is longer than %d bytes", ENDPOINT_HOST_MAX);
    for (size_t i = 0; i < config->redis.servers.n; i++)
        if (config->redis.servers.items[i].is_unix)
            problems_add(problems, first->source, first->line,
                "redis.tls is given, but Redis never speaks TLS at a unix socket, unix:%s",
                config->redis.servers.items[i].host);
    return problems->n == before;
}

bool tls_new(const struct config *config, struct problems *problems, struct tls **out)
{
    *out = NULL;
    if (first_given(&config->redis.tls) == NULL)
        return true;
    struct file_print prints[N_FILES];
    print_files(&config->redis.tls, prints);
    SSL_CTX *context = judge(config, problems) ? load(&config->redis.tls, problems) : NULL;
    if (context == NULL)
        return false;
    struct tls *tls = mem_zalloc(sizeof(*tls));
    tls->given = config->redis.tls;
    tls->context = context;
    memcpy(tls->prints, prints, sizeof(prints));
    pthread_mutex_init(&tls->lock, NULL);
    *out = tls;
    return true;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

void tls_refresh(struct tls *tls, struct log *log)
{
    struct file_print prints[N_FILES];
    struct problems problems = {0};
    if (tls == NULL)
        return;
    print_files(&tls->given, prints);
    if (memcmp(prints, tls->prints, sizeof(prints)) == 0)
        return;
    memcpy(tls->prints, prints, sizeof(prints));
    SSL_CTX *context = load(&tls->given, &problems);
    char *text = problems_take(&problems);
    if (context == NULL) {
        log_event(log, LOG_WARN, "redis_tls_not_reloaded", "problem=%s", LOG_QUOTE(text));
    } else {
        pthread_mutex_lock(&tls->lock);
        SSL_CTX *before = tls->context;
        tls->context = context;
        pthread_mutex_unlock(&tls->lock);
        SSL_CTX_free(before);
        log_event(log, LOG_INFO, "redis_tls_reloaded", "ca=%s", LOG_QUOTE(tls->given.ca.text));
    }
    free(text);
}

/* ---- a server's certificate ---- */

static void append_name(char *text, size_t size, const char *name, size_t len)
{
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%.*s", at > 0 ? ", " : "", (int)len, name);
    for (; text[at] != '\0'; at++)
        if ((unsigned char)text[at] < ' ' || text[at] == 127)
            text[at] = '?';
}

/* The first few names and addresses that CERTIFICATE is for. */
static void format_names(const X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    text[0] = '\0';
    for (int i = 0; i < n && i < NAMES_SHOWN_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char address[ENDPOINT_NUMERIC_MAX] = "";
        const ASN1_STRING *value = name->d.ia5; /* an address, too, is an ASN1_STRING */
        if (name->type == GEN_IPADD) {
            int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
            if (ASN1_STRING_length(value) == 4 || ASN1_STRING_length(value) == 16)
                inet_ntop(family, ASN1_STRING_get0_data(value), address, sizeof(address));
            append_name(text, size, address, strlen(address));
        } else if (name->type == GEN_DNS) {
            append_name(
                text, size, (const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        }
    }
    if (n > NAMES_SHOWN_MAX)
        append_name(text, size, "…", strlen("…"));
    if (names == NULL) {
        char common[100] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, sizeof(common));
        append_name(text, size, common, strlen(common));
    }
    GENERAL_NAMES_free(names);
}

/* Called for each fault of a server's chain of certificates, with what is right as well. */
static int on_verified(int good, X509_STORE_CTX *chain)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_handshake *h = SSL_get_app_data(ssl);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    int error = X509_STORE_CTX_get_error(chain);
    char names[100] = "";
    char time[64] = "";
    if (good || h == NULL || certificate == NULL)
        return good;
    const char *whose =
        X509_STORE_CTX_get_error_depth(chain) == 0 ? "its certificate" : "a CA of its certificate";
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        format_names(certificate, names, sizeof(names));
        snprintf(h->error, sizeof(h->error), "its certificate is for %s, and not for %.80s",
            names[0] != '\0' ? names : "no name", h->name);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        (void)is_in_time(certificate, time);
        snprintf(h->error, sizeof(h->error), "%s %s", whose, time);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, names, sizeof(names));
        snprintf(h->error, sizeof(h->error), "its certificate is from a CA that is not in redis.tls.ca: %s",
            names[0] != '\0' ? names : "one without a common name");
        break;
    default:
        snprintf(h->error, sizeof(h->error), "%s is not accepted: %s", whose,
            X509_verify_cert_error_string(error));
    }
    return 0;
}

/* ---- connections ---- */

/* What OpenSSL's queue of errors says, in words for who runs this; NULL when it holds nothing. */
static const char *explain(void)
{
    unsigned long error = ERR_peek_error();
    if (error == 0 || ERR_GET_LIB(error) != ERR_LIB_SSL)
        return NULL;
    switch (ERR_GET_REASON(error)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "TLS: the server wants a client certificate: redis.tls.cert and redis.tls.key";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "TLS: the server refuses the handshake; it may want a client certificate, redis.tls.cert";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "TLS: the server does not know the CA of the certificate in redis.tls.cert";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "TLS: to the server the certificate in redis.tls.cert has lapsed";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return "TLS: the server does not accept the certificate in redis.tls.cert";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
        return "TLS: what answers there does not speak TLS";
    default:
        return ERR_reason_error_string(error);
    }
}

static void fail_handshake(struct tls_handshake *h, const char *why)
{
    const char *told = explain();
    if (h->error[0] == '\0')
        snprintf(h->error, sizeof(h->error), "%s", told != NULL ? told : why);
    ERR_clear_error();
}

void tls_begin(struct tls *tls, redisContext *redis, const char *host, struct tls_handshake *h)
{
    *h = (struct tls_handshake){0};
    const char *name = tls->given.server_name.text != NULL ? tls->given.server_name.text : host;
    snprintf(h->name, sizeof(h->name), "%s", name);
    /* Errors of other uses of OpenSSL in this thread would be taken for this connection's. */
    ERR_clear_error();
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    if (ssl == NULL)
        abort(); /* out of memory */
    SSL_set_app_data(ssl, h);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verified);
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool good =
        X509_VERIFY_PARAM_set1_ip_asc(wanted, h->name) == 1 ||
        (X509_VERIFY_PARAM_set1_host(wanted, h->name, 0) == 1 && SSL_set_tlsext_host_name(ssl, h->name) == 1);
    ERR_clear_error();
    if (good && redisInitiateSSL(redis, ssl) == REDIS_OK) {
        h->ssl = ssl;
        return;
    }
    fail_handshake(h, good ? redis->errstr : "that name cannot be verified");
    SSL_free(ssl);
}

enum tls_step tls_go_on(struct tls_handshake *h)
{
    if (h->ssl == NULL)
        return TLS_FAILED;
    ERR_clear_error();
    int done = SSL_do_handshake(h->ssl);
    int error = SSL_get_error(h->ssl, done);
    if (error == SSL_ERROR_WANT_READ)
        return TLS_WANTS_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return TLS_WANTS_WRITE;
    if (done != 1)
        fail_handshake(h, error == SSL_ERROR_SYSCALL && errno != 0
                              ? strerror(errno)
                              : "the connection was closed in the TLS handshake");
    SSL_set_app_data(h->ssl, NULL);
    h->ssl = NULL;
    return done == 1 ? TLS_DONE : TLS_FAILED;
}

bool tls_is_on(const redisContext *redis)
{
    return redis->privctx != NULL;
}

/* hiredis tells only what errno says, which may be nothing. */
static int judge_result(redisContext *redis, int result)
{
    const char *told = result == REDIS_OK ? NULL : explain();
    if (told != NULL)
        snprintf(redis->errstr, sizeof(redis->errstr), "%s", told);
    return result;
}

/*
 * Before each call the thread's queue of errors is emptied: hiredis asks OpenSSL whether a call has failed or
 * must only wait, and OpenSSL looks into that queue, where a forged signature of a learner's token may have
 * left an error.
 */
int tls_read(redisContext *redis)
{
    if (!tls_is_on(redis))
        return redisBufferRead(redis);
    ERR_clear_error();
    return judge_result(redis, redisBufferRead(redis));
}

int tls_write(redisContext *redis, int *all_sent)
{
    if (!tls_is_on(redis))
        return redisBufferWrite(redis, all_sent);
    ERR_clear_error();
    return judge_result(redis, redisBufferWrite(redis, all_sent));
}

#else

bool tls_new(const struct config *config, struct problems *problems, struct tls **out)
{
    const struct config_located *first = first_given(&config->redis.tls);
    *out = NULL;
    if (first != NULL)
        problems_add(problems, first->source, first->line,
            "redis.tls is given, but this minuted has no TLS, since it was built with hiredis %d.%d without "
            "hiredis_ssl, which comes with hiredis 1.0 (Debian 13): build it with that, or leave redis.tls "
            "out and "
            "connect to a TLS proxy on this machine, such as stunnel",
            HIREDIS_MAJOR, HIREDIS_MINOR);
    return first == NULL;
}

void tls_free(struct tls *tls)
{
    (void)tls; /* There is none. */
}

void tls_refresh(struct tls *tls, struct log *log)
{
    (void)tls;
    (void)log;
}

void tls_begin(struct tls *tls, redisContext *redis, const char *host, struct tls_handshake *h)
{
    (void)tls;
    (void)redis;
    (void)host;
    *h = (struct tls_handshake){.error = "this minuted has no TLS"};
}

enum tls_step tls_go_on(struct tls_handshake *h)
{
    (void)h;
    return TLS_FAILED;
}

bool tls_is_on(const redisContext *redis)
{
    (void)redis;
    return false;
}

int tls_read(redisContext *redis)
{
    return redisBufferRead(redis);
}

int tls_write(redisContext *redis, int *all_sent)
{
    return redisBufferWrite(redis, all_sent);
}

#endif
