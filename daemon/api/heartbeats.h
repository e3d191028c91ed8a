/*
 * POST /v1/heartbeats: every run is judged alone, credited in one batch, and answered in its place.
 */
#pragma once

#include "api/api_state.h"

api_codec_handler heartbeats_handle;
