/*
 * The running daemon: starts the parts in order, follows signals, and takes the parts down again.
 */
#pragma once

#include "config/config.h"
#include "config/options.h"

/* Runs until a signal ends it; returns the exit status. OPTIONS tells how to read the configuration again. */
int daemon_run(const struct config *config, const struct options *options);
