/* minuted-ledger totals. */
#pragma once

#include "ledger/options.h"

/* Prints the seconds of each learner and lesson, and whether the three ways to find them agree. */
enum exit_status totals_command(const struct ledger_options *o);
