/* Whether a result says something about the server, or only about the generator. */
#pragma once

#include "load/result.h"

/* Sets void_reason; INTERRUPTED: the load was ended early. */
void verdict_set(struct result *r, bool interrupted);
