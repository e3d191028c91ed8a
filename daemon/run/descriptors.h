/*
 * File descriptors, divided at the start: players never get those that Redis, Kafka and the operators' port
 * need. Otherwise a daemon that is full of players and loses Redis could never connect to it again.
 */
#pragma once

#include <stdint.h>

/* Raises the process's limit as far as the system allows, and returns it. */
int64_t descriptors_raise_limit(void);

/*
 * How many of WANTED players' connections there can be with LIMIT descriptors and WORKERS workers. The others
 * are kept back for everything else, but never more than half of LIMIT.
 */
int descriptors_for_players(int64_t limit, int wanted, int workers);
