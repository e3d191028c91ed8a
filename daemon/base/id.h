/*
 * What may be an id. Programs, portals, courses and lessons have ids that an operator writes into the
 * catalog; learners and devices have the names that their platform gives them.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum { ID_MAX = 64, ID_NAME_MAX = 128 };

/* Whether ID may be a program's, a portal's, a course's or a lesson's: [A-Za-z0-9._-]{1,64}. */
bool id_valid(struct slice id);

/* Whether NAME may be a learner's or a device's: 1 to 128 bytes of UTF-8 without control characters. */
bool id_name_valid(struct slice name);
