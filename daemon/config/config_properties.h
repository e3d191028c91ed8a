/*
 * The reader of kafka.properties: what librdkafka is given as it is, but for what the publisher rests on.
 */
#pragma once

#include "config/config_reading.h"

/* A map, merged into what was read before. The value of a property that ends in _file is read from the file.
 */
config_reader config_read_properties;

/* What the properties have allocated. */
void config_free_properties(struct config *config);
