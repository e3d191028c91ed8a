/*
 * The ledger's commands, each of which returns the exit status, and what they share.
 */
#pragma once

#include "ledger/database.h"
#include "ledger/options.h"

int follow_command(const struct options *o);
int hours_command(const struct options *o);
int why_command(const struct options *o);
int totals_command(const struct options *o);

/* Prints a problem that is to be freed, and returns false. */
bool command_complain(char *problem);
/* As database_open(), after printing the problem. */
struct database *command_open_database(const char *path, bool writing);
