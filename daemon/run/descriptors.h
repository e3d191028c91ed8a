/*
 * File descriptors, divided before anybody asks: players may fill all places but never take those that
 * Redis, Kafka and the operators' port need, or a daemon that lost Redis under a full house would wait for it
 * for ever.
 */
#pragma once

#include <stdint.h>

/* Raises the process's limit as far as it may be; returns it. */
int64_t descriptors_raise_limit(void);

/*
 * How many of WANTED connections there can be with LIMIT descriptors and WORKERS workers: those that are kept
 * back for everything else, half of a small limit at most, are not given to players.
 */
int descriptors_for_players(int64_t limit, int wanted, int workers);
