/*
 * Variables that Kubernetes puts into every container's environment for each Service of its namespace
 * (service links). A Service named `minuted`, or `minuted-` and more, has names that begin as ours do:
 *
 *     MINUTED_REDIS_SERVICE_HOST=10.0.0.11          MINUTED_REDIS_PORT=tcp://10.0.0.11:6379
 *     MINUTED_REDIS_SERVICE_PORT=6379               MINUTED_REDIS_PORT_6379_TCP=tcp://10.0.0.11:6379
 *     MINUTED_REDIS_SERVICE_PORT_CLIENTS=6379       MINUTED_REDIS_PORT_6379_TCP_PROTO=tcp, …_PORT=6379,
 * …_ADDR=10.0.0.11
 *
 * The source is Kubernetes' documentation of Services, "Environment variables".
 */
#pragma once

#include <stdbool.h>

/*
 * Whether Kubernetes gives NAME such a VALUE. Both have to fit: MINUTED_REDIS_PORT=6379 was set by somebody
 * who takes it for a key.
 */
bool service_variable_is(const char *name, const char *value);
