/*
 * The protobuf codec: the messages of player.proto.
 */
#pragma once

#include "api/codec.h"

extern const struct codec codec_protobuf;
