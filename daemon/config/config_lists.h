/*
 * Readers of addresses and origins, alone or in lists.
 */
#pragma once

#include "config/config_reading.h"

/* One address or a list of at most ENDPOINTS_MAX. */
config_reader config_read_endpoints;
/* One address. */
config_reader config_read_endpoint;
/* Origins of browsers, or '*'. */
config_reader config_read_origins;
/* Kafka's brokers: "host:port,…", kept as it is written. */
config_reader config_read_brokers;

/* What the lists have allocated. */
void config_free_lists(struct config *config);
