/*
 * A moment as people write it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Unix seconds, or RFC 3339 with its zone (`Z` or `+08:00`), where seconds and their fraction may be left
 * out. False on anything else, days that no calendar has, and what lies before 1970.
 */
bool moment_parse(const char *text, int64_t *unix_seconds) __attribute__((warn_unused_result));
