/* The transactional producer. */
#include "publish/producer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "publish/kafka_client.h"
#include "publish/record.h"
#include "publish/refused_records.h"

enum {
    CALL_MAX_MS = 20000,   /* the longest that connecting or committing is tried */
    PAUSE_MS = 50,         /* after an error that comes at once and may be tried again */
    CLUSTER_MAX_MS = 3000, /* the longest that a cluster's id is waited for: it comes with the first answer */
    REST_MAX_MS = 200,
    COUNT_MAX_MS = 1000,
    SAID_MAX = 200,   /* of an error that is explained */
    BATCH_SHARE = 16, /* what is tried of a size of batches that a topic has refused */
    BATCH_MIN = 200,  /* bytes; no smaller size is tried before single records */
    BATCH_SINGLE = 1,
    MINUTE_MS = 60000,
    KEY_SAID_MAX = 512
};

struct producer {
    const struct config *config;
    const char *program;
    const char *brokers;
    const struct clock *clock;
    struct producer_caller caller;
    struct kafka_client_ear ear;
    rd_kafka_t *kafka; /* NULL: not reached */
    bool connected;
    char cluster[256]; /* its id */
    char names[RECORD_KINDS][RECORD_TOPIC_MAX];
    rd_kafka_topic_t *topics[RECORD_KINDS];
    int partitions[RECORD_KINDS]; /* as each topic has */
    int used[RECORD_KINDS];       /* of these */
    bool open;                    /* a transaction is */
    size_t sent;                  /* in it */
    size_t delivered;             /* of those, as reported */
    bool fenced;                  /* the broker has said so, since connecting */
    int64_t asked_ms;             /* steady; since then brokers are asked without an answer; 0: they answer */
    int batch_max;                /* bytes; 0: as configured; BATCH_SINGLE: a single record each */
    int batch_next;               /* the same for the next client */
    rd_kafka_resp_err_t refused; /* why the last record was that this client's brokers refused; 0: none was */
    bool found;                  /* and which one was, so that it is set aside */
    bool closes_in;              /* the last failure led to another batch_max, or to records set aside */
    bool through;                /* a transaction of single records was committed */
    bool takes[RECORD_KINDS];    /* topics that have taken a record */
    struct refused_records *aside; /* NULL as long as none was refused */
    char error[1024];
};

struct producer *producer_new(const struct config *config, const char *program, const struct clock *clock,
    const char *brokers, struct producer_caller caller, struct log *log)
{
    struct producer *p = mem_zalloc(sizeof(*p));
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        record_topic((enum record_kind)kind, config->kafka.topic_prefix, p->names[kind]);
    p->config = config;
    p->program = program;
    p->brokers = brokers;
    p->caller = caller;
    p->clock = clock;
    p->ear.log = log;
    return p;
}

void producer_free(struct producer *p)
{
    (void)producer_disconnect(p);
    if (p->aside != NULL)
        refused_records_free(p->aside);
    free(p);
}

bool producer_connected(const struct producer *p)
{
    return p->connected;
}

const char *producer_cluster(const struct producer *p)
{
    return p->cluster;
}

size_t producer_pending(const struct producer *p)
{
    return p->sent;
}

const char *producer_error(const struct producer *p)
{
    return p->error;
}

void producer_poll(struct producer *p)
{
    if (p->kafka != NULL)
        rd_kafka_poll(p->kafka, 0);
}

/* ---- whether brokers answer ---- */

static void note_asked(struct producer *p)
{
    if (p->asked_ms == 0)
        p->asked_ms = clock_steady_ms(p->clock);
}

static void note_answered(struct producer *p)
{
    p->asked_ms = 0;
}

int64_t producer_unanswered_ms(const struct producer *p)
{
    return p->asked_ms == 0 ? 0 : clock_steady_ms(p->clock) - p->asked_ms;
}

/* ---- errors ---- */

static bool is_fencing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Puts the ACL that is missing for ACTION before REASON, which may name the topic. */
static void name_acl(struct producer *p, const char *action, rd_kafka_resp_err_t code, const char *reason)
{
    char needs[KAFKA_TROUBLE_MAX];
    char id[KAFKA_CLIENT_ID_MAX];
    char topic[RECORD_TOPIC_MAX];
    snprintf(topic, sizeof(topic), "%s.*", p->config->kafka.topic_prefix);
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        if (strstr(reason, p->names[kind]) != NULL)
            snprintf(topic, sizeof(topic), "%s", p->names[kind]);
    if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
        kafka_client_id(p->config, p->program, id);
        kafka_trouble_acl(needs, sizeof(needs), "Write", "TransactionalId", id);
    } else if (code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
        kafka_trouble_acl(needs, sizeof(needs), "IdempotentWrite", "Cluster", "kafka-cluster");
    } else {
        kafka_trouble_acl(needs, sizeof(needs), "Write", "Topic", topic);
    }
    snprintf(p->error, sizeof(p->error), "%s: %s (%.*s)", action, needs, SAID_MAX, reason);
}

/* Whatever cannot be tried again ends the producer; a fatal error behind CODE is the one that counts. */
static enum producer_status fail(
    struct producer *p, const char *action, rd_kafka_resp_err_t code, const char *reason)
{
    char fatal[256];
    rd_kafka_resp_err_t fatal_code = rd_kafka_fatal_error(p->kafka, fatal, sizeof(fatal));
    bool is_fatal = fatal_code != RD_KAFKA_RESP_ERR_NO_ERROR;
    bool too_large = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    snprintf(p->error, sizeof(p->error), "%s: %s%s", action,
        too_large ? "over the topic's max.message.bytes: " : "", is_fatal ? fatal : reason);
    if (kafka_trouble_is_acl(is_fatal ? fatal_code : code))
        name_acl(p, action, is_fatal ? fatal_code : code, is_fatal ? fatal : reason);
    p->fenced = is_fencing(is_fatal ? fatal_code : code);
    return p->fenced ? PRODUCER_FENCED : PRODUCER_FAILED;
}

/*
 * Takes ERROR. True when the call may be made again, else *STATUS is its end. Retriable errors include the
 * step's own time limit.
 */
static bool try_again(
    struct producer *p, const char *action, rd_kafka_error_t *error, enum producer_status *status)
{
    *status = PRODUCER_DONE;
    if (error == NULL)
        return false;
    bool again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_txn_requires_abort(error);
    *status = fail(p, action, rd_kafka_error_code(error), rd_kafka_error_string(error));
    bool at_once = rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_error_destroy(error);
    if (again && at_once)
        rd_kafka_poll(p->kafka, PAUSE_MS);
    return again;
}

/* Gives the caller its turn; returns how long the next step may take of a call that began at START_MS. */
static int begin_step(struct producer *p, int64_t start_ms)
{
    int64_t left_ms = start_ms + CALL_MAX_MS - clock_steady_ms(p->clock);
    note_asked(p);
    int step_ms = p->caller.renew(p->caller.ctx);
    if (left_ms <= 0 || step_ms <= 0)
        return 0;
    return left_ms < step_ms ? (int)left_ms : step_ms;
}

/* ---- topics ---- */

static bool has_topics(
    struct producer *p, const struct rd_kafka_metadata *found, int partitions[static RECORD_KINDS])
{
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        partitions[kind] = kafka_client_partitions(found, p->names[kind]);
        if (partitions[kind] == 0) {
            snprintf(p->error, sizeof(p->error),
                "topic %s is missing on %s; create it with minuted --create-topics", p->names[kind],
                p->brokers);
            return false;
        }
    }
    return true;
}

/* Kafka shows nobody a topic that its ACLs do not let them know of: then it is not missing. */
static void explain_missing(struct producer *p)
{
    int kind = 0;
    while (kind < RECORD_KINDS - 1 && p->partitions[kind] > 0)
        kind++;
    int ms = p->caller.renew(p->caller.ctx);
    if (ms > 0 && kafka_client_hidden(p->config, p->brokers, p->names[kind], ms))
        kafka_trouble_acl(
            p->error, sizeof(p->error), "Describe, which Write includes,", "Topic", p->names[kind]);
}

/* ---- calls ---- */

/*
 * Makes CALL until it succeeds, fails for good, or is given up. A retriable call that was given up keeps
 * the reason of its last try.
 */
static enum producer_status persist(
    struct producer *p, const char *action, rd_kafka_error_t *(*call)(rd_kafka_t *, int))
{
    enum producer_status status;
    int64_t start_ms = clock_steady_ms(p->clock);
    snprintf(p->error, sizeof(p->error), "%s: given up", action);
    for (;;) {
        int ms = begin_step(p, start_ms);
        if (ms == 0)
            return PRODUCER_FAILED;
        if (!try_again(p, action, call(p->kafka, ms), &status)) {
            if (status == PRODUCER_DONE)
                note_answered(p);
            return status;
        }
        /* If a topic was deleted, librdkafka waits for it without reporting an error. */
        const struct rd_kafka_metadata *found;
        ms = begin_step(p, start_ms);
        if (ms == 0 || kafka_client_topics(p->kafka, ms, &found) != RD_KAFKA_RESP_ERR_NO_ERROR)
            continue; /* not known */
        note_answered(p);
        int now[RECORD_KINDS]; /* a learner's records keep to their partition while this producer lives */
        bool gone = !has_topics(p, found, now);
        rd_kafka_metadata_destroy(found);
        if (gone)
            return PRODUCER_FAILED;
    }
}

/* ---- records that Kafka refuses ---- */

static bool is_refusal(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

/*
 * A topic that has taken no record is at fault itself, and watermarks, which tell how far all is published,
 * cannot be left out. False then, or when there is no room.
 */
static bool set_aside(
    struct producer *p, enum record_kind kind, struct slice key, int64_t time_ms, rd_kafka_resp_err_t code)
{
    char name[KEY_SAID_MAX];
    bool for_its_time = code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
    int64_t now_ms = clock_steady_ms(p->clock);
    if (kind == RECORD_WATERMARK || !p->takes[kind])
        return false;
    if (p->aside == NULL)
        p->aside = refused_records_new(); /* librdkafka itself has refused one */
    if (!refused_records_add(p->aside, kind, key, time_ms, for_its_time, now_ms))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)key.len, key.ptr);
    log_event(p->ear.log, LOG_ERROR, "record_refused",
        "topic=%s key=%s time_ms=%" PRId64 " error=%s again_s=%d", p->names[kind], LOG_QUOTE(name), time_ms,
        LOG_QUOTE(rd_kafka_err2str(code)), REFUSED_RECORDS_MS / 1000);
    return true;
}

static enum record_kind kind_of(const struct producer *p, const rd_kafka_message_t *message)
{
    int kind = 0;
    while (kind < RECORD_KINDS - 1 && p->topics[kind] != message->rkt)
        kind++;
    assert(p->topics[kind] == message->rkt);
    return (enum record_kind)kind;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *p = (struct producer *)((char *)opaque - offsetof(struct producer, ear));
    enum record_kind kind = kind_of(p, message);
    int64_t time_ms = (intptr_t)message->_private * MINUTE_MS;
    (void)kafka;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->delivered++;
        note_answered(p);
        p->takes[kind] = true;
        if (p->aside != NULL)
            refused_records_note_taken(p->aside, kind, time_ms);
    }
    if (!is_refusal(message->err))
        return;
    p->refused = message->err;
    struct slice key = {message->key, message->key_len};
    if (p->batch_max == BATCH_SINGLE && set_aside(p, kind, key, time_ms, message->err))
        p->found = true;
}

/*
 * Brokers refuse whole batches, and librdkafka neither parts one nor says for which record it was refused.
 * Limits of size (max.message.bytes) count whole batches, so smaller ones may pass; of what is refused for
 * another reason each record is sent by itself, as at last of what is too large. If none was found so, sizes
 * start from above again. Returns whether the next try will be another one than the last.
 */
static bool choose_batches(struct producer *p)
{
    char now[32] = "";
    size_t size = sizeof(now);
    if (p->refused == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    if (p->batch_max == BATCH_SINGLE) {
        p->batch_next = p->found ? BATCH_SINGLE : 0;
        return p->found;
    }
    p->batch_next = BATCH_SINGLE;
    if (p->refused == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
        p->refused == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE) {
        rd_kafka_conf_get(rd_kafka_conf(p->kafka), "batch.size", now, &size);
        int smaller = (int)(strtol(now, NULL, 10) / BATCH_SHARE);
        if (smaller >= BATCH_MIN)
            p->batch_next = smaller;
    }
    return true;
}

bool producer_refuses_any(const struct producer *p)
{
    return p->aside != NULL && refused_records_any(p->aside);
}

bool producer_refuses(const struct producer *p, const struct record *record)
{
    return producer_refuses_any(p) && refused_records_has(p->aside, record, clock_steady_ms(p->clock));
}

size_t producer_refused(struct producer *p)
{
    return p->aside == NULL ? 0 : refused_records_expire(p->aside, clock_steady_ms(p->clock));
}

bool producer_closes_in(const struct producer *p)
{
    return p->closes_in;
}

bool producer_is_through(const struct producer *p)
{
    return p->through;
}

/* ---- connecting ---- */

static void explain_silence(struct producer *p)
{
    if (p->ear.trouble.refused)
        snprintf(p->error, sizeof(p->error), "%s", p->ear.trouble.text);
    else
        snprintf(p->error, sizeof(p->error), "no broker of %s can be reached%s%s", p->brokers,
            p->ear.trouble.text[0] == '\0' ? "" : ": ", p->ear.trouble.text);
}

/* A login that is refused is told at once, and tried again after the next pause. */
static enum producer_status ask_for_topics(struct producer *p, const struct rd_kafka_metadata **found)
{
    rd_kafka_resp_err_t code;
    int64_t start_ms = clock_steady_ms(p->clock);
    do {
        int ms = begin_step(p, start_ms);
        if (ms == 0) {
            explain_silence(p);
            return PRODUCER_FAILED;
        }
        code = kafka_client_topics(p->kafka, ms, found);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && (p->ear.trouble.refused || p->ear.trouble.misled)) {
            explain_silence(p);
            return PRODUCER_FAILED;
        }
    } while (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(p, "metadata", code, rd_kafka_err2str(code));
    note_answered(p);
    return PRODUCER_DONE;
}

/* A cluster may tell no id. One that was not waited for is not known to tell none. */
static enum producer_status ask_for_cluster(struct producer *p)
{
    int64_t until_ms = clock_monotonic_ms() + CLUSTER_MAX_MS;
    char *told = NULL;
    p->cluster[0] = '\0';
    while (told == NULL && clock_monotonic_ms() < until_ms) {
        int ms = p->caller.renew(p->caller.ctx);
        if (ms <= 0) {
            snprintf(p->error, sizeof(p->error), "cluster id of %s: given up", p->brokers);
            return PRODUCER_FAILED;
        }
        told = rd_kafka_clusterid(p->kafka, ms);
    }
    if (told != NULL) {
        snprintf(p->cluster, sizeof(p->cluster), "%s", told);
        rd_kafka_mem_free(p->kafka, told);
    }
    return PRODUCER_DONE;
}

static enum producer_status find_topics(struct producer *p)
{
    const struct rd_kafka_metadata *found;
    enum producer_status status = ask_for_topics(p, &found);
    if (status != PRODUCER_DONE)
        return status;
    bool good = has_topics(p, found, p->partitions);
    rd_kafka_metadata_destroy(found);
    if (!good)
        explain_missing(p);
    producer_use_partitions(p, p->partitions);
    for (int kind = 0; good && kind < RECORD_KINDS; kind++)
        p->topics[kind] = rd_kafka_topic_new(p->kafka, p->names[kind], NULL);
    return good ? PRODUCER_DONE : PRODUCER_FAILED;
}

static void close_client(struct producer *p)
{
    char fatal[256];
    /*
     * The open transaction needs no abort here: whoever publishes next connects first, and that aborts it.
     * But the records that were just sent have to come to rest, since librdkafka 2.0 fails an assertion when
     * it is closed while adding partitions to a transaction.
     */
    if (p->open)
        rd_kafka_flush(p->kafka, REST_MAX_MS);
    p->closes_in = choose_batches(p);
    /* A publisher that is late learns from Redis that the lease is gone, but perhaps only now from the broker
     * that it was fenced. */
    if (!p->fenced && is_fencing(rd_kafka_fatal_error(p->kafka, fatal, sizeof(fatal)))) {
        p->fenced = true;
        snprintf(p->error, sizeof(p->error), "%s", fatal);
    }
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        if (p->topics[kind] != NULL)
            rd_kafka_topic_destroy(p->topics[kind]);
        p->topics[kind] = NULL;
    }
    rd_kafka_destroy(p->kafka);
    p->kafka = NULL;
    p->connected = false;
    p->open = false;
    p->sent = 0;
}

static enum producer_status make_client(struct producer *p)
{
    char *error = NULL;
    p->fenced = false;
    p->batch_max = p->batch_next;
    p->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    p->found = p->through = false;
    if (p->batch_max == BATCH_SINGLE && p->aside == NULL)
        p->aside = refused_records_new(); /* From now on it notes which times are taken. */
    if (p->aside != NULL)
        refused_records_begin(p->aside);
    kafka_trouble_forget(&p->ear.trouble);
    rd_kafka_conf_t *conf = kafka_client_conf(p->config, p->brokers, &p->ear, &error);
    if (conf != NULL) {
        kafka_client_be_transactional(conf, p->config, p->program);
        if (p->batch_max == BATCH_SINGLE) {
            kafka_client_set(conf, "batch.num.messages", "1");
        } else if (p->batch_max > 0) {
            char size[32];
            snprintf(size, sizeof(size), "%d", p->batch_max);
            kafka_client_set(conf, "batch.size", size);
        }
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        p->kafka = kafka_client_new(conf, &error);
    }
    if (p->kafka == NULL) {
        snprintf(p->error, sizeof(p->error), "%s", error);
        free(error);
        return PRODUCER_FAILED;
    }
    return PRODUCER_DONE;
}

enum producer_status producer_reach(struct producer *p)
{
    const struct rd_kafka_metadata *found;
    enum producer_status status = p->kafka == NULL ? make_client(p) : PRODUCER_DONE;
    if (status != PRODUCER_DONE)
        return status;
    status = ask_for_topics(p, &found);
    if (status == PRODUCER_DONE) {
        rd_kafka_metadata_destroy(found);
        status = ask_for_cluster(p);
    }
    if (status != PRODUCER_DONE)
        close_client(p);
    return status;
}

bool producer_look(struct producer *p)
{
    const struct rd_kafka_metadata *found;
    int partitions[RECORD_KINDS];
    if (producer_reach(p) != PRODUCER_DONE)
        return false;
    bool good = ask_for_topics(p, &found) == PRODUCER_DONE;
    if (good) {
        good = has_topics(p, found, partitions);
        rd_kafka_metadata_destroy(found);
    }
    return good;
}

enum producer_status producer_connect(struct producer *p)
{
    enum producer_status status = p->kafka == NULL ? producer_reach(p) : PRODUCER_DONE;
    if (status != PRODUCER_DONE)
        return status;
    status = find_topics(p);
    if (status == PRODUCER_DONE)
        status = persist(p, "init_transactions", rd_kafka_init_transactions);
    p->connected = status == PRODUCER_DONE;
    if (!p->connected)
        close_client(p);
    return status;
}

const int *producer_partitions(const struct producer *p)
{
    return p->partitions;
}

void producer_use_partitions(struct producer *p, const int used[static RECORD_KINDS])
{
    memcpy(p->used, used, sizeof(p->used));
}

void producer_count_partitions(struct producer *p)
{
    const struct rd_kafka_metadata *found;
    int partitions[RECORD_KINDS];
    if (kafka_client_topics(p->kafka, COUNT_MAX_MS, &found) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (has_topics(p, found, partitions))
        memcpy(p->partitions, partitions, sizeof(p->partitions));
    rd_kafka_metadata_destroy(found);
}

bool producer_disconnect(struct producer *p)
{
    if (p->kafka != NULL)
        close_client(p);
    bool fenced = p->fenced;
    p->fenced = false;
    return fenced;
}

/* ---- transactions ---- */

/* librdkafka's reports of deliveries know no time; what they are needed for is dated by whole minutes. */
static rd_kafka_resp_err_t enqueue(struct producer *p, const struct record *r)
{
    const char *content_type = record_content_type(p->config->kafka.format);
    rd_kafka_topic_t *topic = p->topics[r->kind];
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is a number that librdkafka hands back */
    void *minute = (void *)(intptr_t)(r->time_ms / MINUTE_MS);
    int32_t partition =
        rd_kafka_msg_partitioner_murmur2(topic, r->route.ptr, r->route.len, p->used[r->kind], NULL, NULL);
    return rd_kafka_producev(p->kafka, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY((void *)r->key.ptr, r->key.len),
        RD_KAFKA_V_VALUE((void *)r->value.ptr, r->value.len), RD_KAFKA_V_TIMESTAMP(r->time_ms),
        RD_KAFKA_V_HEADER("content-type", content_type, -1), RD_KAFKA_V_HEADER("schema", r->schema, -1),
        RD_KAFKA_V_OPAQUE(minute), RD_KAFKA_V_END);
}

enum producer_status producer_send(struct producer *p, const struct record *record)
{
    enum producer_status status;
    rd_kafka_resp_err_t code;
    int64_t start_ms = clock_steady_ms(p->clock);
    if (producer_refuses(p, record))
        return PRODUCER_REFUSED;
    if (!p->open) {
        p->sent = 0;
        p->delivered = 0;
        rd_kafka_error_t *error = rd_kafka_begin_transaction(p->kafka);
        p->open = error == NULL;
        if (error != NULL)
            return try_again(p, "begin", error, &status) ? PRODUCER_FAILED : status;
    }
    while ((code = enqueue(p, record)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        int ms = begin_step(p, start_ms);
        if (ms == 0)
            break;
        rd_kafka_poll(p->kafka, ms);
    }
    if (code == RD_KAFKA_RESP_ERR__STATE) {
        /* An earlier record has broken the transaction off; only committing says what the error was. */
        status = persist(p, "produce", rd_kafka_commit_transaction);
        return status == PRODUCER_DONE ? PRODUCER_FAILED : status;
    }
    /* A record that librdkafka itself refuses breaks nothing off. */
    if (is_refusal(code) && set_aside(p, record->kind, record->key, record->time_ms, code))
        return PRODUCER_REFUSED;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(p, "produce", code, rd_kafka_err2str(code));
    assert(p->open);
    p->sent++;
    return PRODUCER_DONE;
}

enum producer_status producer_commit(struct producer *p)
{
    if (!p->open)
        return PRODUCER_DONE;
    enum producer_status status = persist(p, "commit", rd_kafka_commit_transaction);
    if (status != PRODUCER_DONE)
        return status;
    assert(p->delivered <= p->sent);
    p->open = false;
    p->batch_next = 0;
    p->through = p->batch_max == BATCH_SINGLE;
    if (p->delivered != p->sent) {
        snprintf(p->error, sizeof(p->error), "commit: %zu of %zu records are reported as delivered",
            p->delivered, p->sent);
        status = PRODUCER_FAILED;
    }
    p->sent = 0;
    return status;
}
