/*
 * How often players are asked to send: slower while Redis is slow. Runs name their seconds themselves, so a
 * longer interval loses no precision. Pure.
 */
#pragma once

#include <stdint.h>

/*
 * The interval for a store whose oldest run has waited AGE_MS: INTERVAL_MS up to 50 ms, MAX_INTERVAL_MS from
 * 1000 ms on, linear in between.
 */
int64_t pace_interval_ms(int64_t interval_ms, int64_t max_interval_ms, int64_t age_ms);
