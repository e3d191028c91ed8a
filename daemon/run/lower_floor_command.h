/* minuted --lower-floor: minutes that a wrong clock has closed can be claimed again. */
#pragma once

struct config;
struct options;

/*
 * Lowers every floor that is beyond what it can be to the horizon, after the masks of the minutes between
 * were put back from the topics. Daemons run and players send meanwhile. It can be ended at any time and run
 * again. Returns an exit status: EXIT_GOOD when no floor is a wrong one any more; else an error was printed.
 */
int lower_floor_command(const struct config *config, const struct options *options);
