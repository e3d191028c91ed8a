/*
 * Whole files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Appends the bytes of the file at PATH, at most MAX, to B. False with errno set, to EFBIG where the file is
 * larger; then B may hold a part of it.
 */
bool file_read(const char *path, size_t max, struct buf *b) __attribute__((warn_unused_result));
