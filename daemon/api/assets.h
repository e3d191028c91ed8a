/*
 * Files that are part of the program: the player SDK, and with --dev the page. All are GET and HEAD, have
 * strong entity tags (one for each form, plain and gzip) and answer If-None-Match.
 */
#pragma once

#include "api/api_state.h"

/* Serves what the request's path names below http.base_path; the routes lead only such paths here. */
api_route_handler assets_handle;
