/*
 * A moment as people write it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads Unix seconds, or RFC 3339 with its zone (`Z` or `+08:00`), in which the seconds and their fraction
 * may be left out. False on anything else, on days that no calendar has, and on times before 1970.
 */
bool moment_parse(const char *text, int64_t *unix_seconds) __attribute__((warn_unused_result));
