/* minuted --rebuild: partitions of Redis that have lost what they held get it back from the topics. */
#pragma once

struct config;
struct options;

/*
 * Restores every partition that the publishing daemon has found empty or rolled back, while daemons run and
 * players send, and tells its progress on standard output. It can be ended at any time and run again: it goes
 * on with the pass where it was. Returns an exit status: EXIT_GOOD when no partition has lost anything any
 * more; else an error was printed.
 */
int rebuild_command(const struct config *config, const struct options *options);
