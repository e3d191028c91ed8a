/* What stands between a client and Kafka. */
#include "stream/kafka_trouble.h"

#include <stdio.h>
#include <string.h>

void kafka_trouble_note(struct kafka_trouble *t, rd_kafka_resp_err_t code, const char *reason)
{
    const char *what = "";
    bool refused = true;
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        what = "Kafka refuses the login: ";
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        what = "TLS to Kafka fails: ";
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return; /* The errors before it say why. */
    default:
        /* After the handshake librdkafka tells a broker's TLS alert as any other end of a connection. */
        refused = strstr(reason, "SSL alert") != NULL;
        what = refused ? "TLS to Kafka fails: " : "";
        break;
    }
    if (t->refused && !refused)
        return;
    t->refused = refused;
    t->misled = strstr(reason, "incorrect security.protocol") != NULL;
    snprintf(t->text, sizeof(t->text), "%s%s", what, reason);
}

void kafka_trouble_forget(struct kafka_trouble *t)
{
    *t = (struct kafka_trouble){.refused = false};
}

bool kafka_trouble_is_acl(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

void kafka_trouble_acl(char *out, size_t size, const char *operation, const char *kind, const char *resource)
{
    snprintf(out, size, "Kafka's ACLs do not allow %s on %s %s", operation, kind, resource);
}
