/* Reading the text that INFO answers with: lines of `name:value`. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { INFO_VALUE_MAX = 64 };

/* The value of NAME in the text INFO, cut off where VALUE is full; "" when missing. Returns VALUE. */
const char *info_value(const char *info, const char *name, char value[static INFO_VALUE_MAX]);

/* 0 when it is missing, negative or no number. */
int64_t info_number(const char *info, const char *name);

bool info_is(const char *info, const char *name, const char *wanted);
