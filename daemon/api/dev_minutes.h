/*
 * GET /dev/minutes: which seconds Redis holds of a learner, in the ten minutes of now and in those before
 * them, so that a page can show what is credited instead of what it hopes.
 */
#pragma once

#include "api/api_state.h"

api_route_handler dev_minutes_handle;
