/*
 * A listening socket, on TCP or on a path.
 */
#pragma once

#include <stdbool.h>

struct endpoint;

/*
 * A listening socket (non-blocking, close-on-exec, SO_REUSEADDR; SO_REUSEPORT when REUSEPORT). Returns
 * the descriptor, or -1 with errno set. If the port is 0, the kernel chooses one, and it is written to
 * ENDPOINT. The file that a killed daemon left at a path is removed.
 */
int http_listen_socket(struct endpoint *endpoint, bool reuseport);
