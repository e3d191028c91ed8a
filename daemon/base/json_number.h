/*
 * The value of a JSON number. Apart from json.c, which knows only how a number is written.
 */
#pragma once

#include "base/json.h"

/*
 * TEXT follows the grammar of a JSON number. ARENA is used for numbers that are not whole and have more than
 * 63 characters; false only when its limit is passed.
 */
bool json_number_value(struct slice text, struct arena *arena, struct json_number *out)
    __attribute__((warn_unused_result));
