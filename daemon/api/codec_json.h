/*
 * The JSON codec: application/json, and text/plain, which is the same.
 */
#pragma once

#include "api/codec.h"

extern const struct codec codec_json;
