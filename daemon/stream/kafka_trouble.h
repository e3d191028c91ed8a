/*
 * What stands between a client of librdkafka and Kafka, in the words of whoever has to mend it: a login that
 * is refused, TLS that does not come about, an ACL that is missing. librdkafka's calls say no more than that
 * no broker answers; why, it tells by its error callback alone.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

enum { KAFKA_TROUBLE_MAX = 384 };

/* One thread: librdkafka's callbacks for errors run in the calls of a client's owner. Zeroed: none. */
struct kafka_trouble {
    char text[KAFKA_TROUBLE_MAX]; /* "": none */
    bool refused;                 /* by Kafka's login, TLS or an ACL: trying again changes nothing */
    bool misled;                  /* a property such as security.protocol is likely to be wrong */
};

/* Notes what an error callback was told. A refusal stays until kafka_trouble_forget(), for what follows it is
 * only that no broker is left. */
void kafka_trouble_note(struct kafka_trouble *t, rd_kafka_resp_err_t code, const char *reason);

/* With a client that is new. */
void kafka_trouble_forget(struct kafka_trouble *t);

/* Whether CODE says that an ACL is missing. */
bool kafka_trouble_is_acl(rd_kafka_resp_err_t code);

/* Writes that Kafka's ACLs lack OPERATION, such as Read, on a RESOURCE of the kind KIND, such as Topic. */
void kafka_trouble_acl(char *out, size_t size, const char *operation, const char *kind, const char *resource);
