/*
 * POST /v1/sessions: a platform's token becomes a session of one lesson on one device.
 */
#pragma once

#include "api/api_state.h"

api_codec_handler sessions_handle;
