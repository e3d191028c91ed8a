/*
 * What --dev adds: tokens, a clock that can be moved, where the records go.
 */
#pragma once

#include "api/api_state.h"

/*
 * Whether a request may be handled that asks or tells the daemon something below /dev/. When it may not, it
 * has been answered: its Host is a name that a stranger's page could have given this machine, to be of one
 * origin with it.
 */
bool dev_admits(struct api *api, struct http_exchange *x);

/* GET /dev/token?sub=…&portal=…: a platform token for that learner. */
api_route_handler dev_token_handle;
/* GET /dev/clock: the time as this daemon sees it. POST moves it, for all workers. */
api_route_handler dev_clock_read_handle;
api_route_handler dev_clock_move_handle;
/* GET /dev/kafka: the brokers that the records go to. */
api_route_handler dev_kafka_handle;
