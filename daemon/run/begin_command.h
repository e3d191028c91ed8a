/* minuted --begin-program: makes room for the program of the catalog, and shows how far that is. */
#pragma once

struct config;
struct options;

/*
 * Takes one step after the other (run/begin.h) until the deployment counts for the catalog's program, and
 * tells each on standard output. Returns an exit status, after what is in the way was printed. A process that
 * ends before is followed by another one, which goes on.
 */
int begin_command(const struct config *config, const struct options *options);
