/* minuted-ledger hours. */
#pragma once

#include "ledger/options.h"

/* Prints each learner's hours, learned and certified, and what is missing. */
enum exit_status hours_command(const struct ledger_options *o);
