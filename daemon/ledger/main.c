/* minuted-ledger: the worked consumer of minuted's records. */
#include <stdio.h>

#include "ledger/follow.h"
#include "ledger/hours_command.h"
#include "ledger/options.h"
#include "ledger/totals.h"
#include "ledger/why.h"

int main(int argc, char **argv)
{
    static enum exit_status (*const run[COMMAND_COUNT])(const struct ledger_options *) = {
        [COMMAND_FOLLOW] = follow_command,
        [COMMAND_HOURS] = hours_command,
        [COMMAND_WHY] = why_command,
        [COMMAND_TOTALS] = totals_command,
    };
    struct ledger_options options;
    enum exit_status status;
    if (ledger_options_parse(argc, argv, &options, &status))
        status = run[options.command](&options);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a report cut short must not look like a whole one */
        perror("minuted-ledger: standard output");
        return EXIT_FAILED;
    }
    return (int)status;
}
