/* minuted-ledger follow. */
#pragma once

#include "ledger/options.h"

/* Reads the topics into the database until a signal comes, or until nothing new has come for long enough. */
enum exit_status follow_command(const struct ledger_options *o);
