/* minuted-ledger why. */
#pragma once

#include "ledger/options.h"

/* Prints one learner's minute, second by second, and the records that say so. */
enum exit_status why_command(const struct ledger_options *o);
