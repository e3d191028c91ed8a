/*
 * GET /v1/progress: what a learner has watched, live, and what that makes in hours.
 */
#pragma once

#include "api/api_state.h"

api_codec_handler progress_handle;
