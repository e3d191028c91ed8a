/*
 * Readers of one word or number. Those of numbers hold to the row's limits, those of words to the row's
 * choices.
 */
#pragma once

#include "config/config_reading.h"

config_reader config_read_string;
config_reader config_read_path; /* resolved */
/* Not empty, into a struct config_located; the path is resolved. */
config_reader config_read_located;
config_reader config_read_located_path;
void config_free_located(struct config_located *value);
/* "" or like /x */
config_reader config_read_base_path;
/* 1 to 64 letters, digits, '.', '_' or '-', since a topic's key and a transactional id are made of it. */
config_reader config_read_name;
/* Milliseconds. */
config_reader config_read_duration;
config_reader config_read_duration_or_off; /* 0 where it is off */
/* Microseconds; the row's limits are milliseconds. */
config_reader config_read_linger;
/* Bytes. */
config_reader config_read_size;
/* Whole numbers: into an int, and into an int64_t. */
config_reader config_read_int;
config_reader config_read_rate;
config_reader config_read_double;
config_reader config_read_workers; /* "auto" is 0 */
/* The index of the word among the row's choices, for an enum. */
config_reader config_read_choice;
config_reader config_read_durability; /* with the number of replicas */
