/*
 * The value of a JSON number. Apart from json.c, which knows only how a number is written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

#define JSON_INTEGER_MAX ((int64_t)1 << 53) /* up to here a double holds every whole number */

struct json_number {
    double value;    /* as strtod; may be infinite when out of range */
    bool integral;   /* as written a whole number within +-2^53: 1000, 1000.0, 1e3 */
    int64_t integer; /* the nearest whole number, halves away from 0; 2^53 + 1 for all that is greater, and
                        its negative for all that is less */
};

/*
 * TEXT follows the grammar of a JSON number. ARENA is used for numbers of more than 63 characters; false only
 * when its limit is passed.
 */
bool json_number_value(struct slice text, struct arena *arena, struct json_number *out)
    __attribute__((warn_unused_result));
