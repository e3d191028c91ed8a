/* The running daemon: starts its parts in order, follows signals, and ends the parts in the opposite order.
 */
#pragma once

#include "config/config.h"
#include "config/options.h"

/*
 * Runs until a signal ends it, and returns the exit status. OPTIONS says how to read the configuration again
 * when SIGHUP comes. Borrows both.
 */
int daemon_run(const struct config *config, const struct options *options);
