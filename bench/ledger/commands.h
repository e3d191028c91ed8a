/*
 * The ledger's commands. Each returns the exit status: 0 good, 1 failed or disagreeing, 2 wrong usage.
 */
#pragma once

enum { EXIT_GOOD, EXIT_FAILED, EXIT_USAGE };

/* ARGV[0] is the command's name. */
int follow_command(int argc, char **argv);
int hours_command(int argc, char **argv);
int why_command(int argc, char **argv);
int totals_command(int argc, char **argv);
