/* minuted-ledger: the worked consumer of minuted's records. */
#include <stdio.h>

#include "ledger/commands.h"

int main(int argc, char **argv)
{
    static int (*const run[COMMAND_COUNT])(const struct options *) = {
        [COMMAND_FOLLOW] = follow_command,
        [COMMAND_HOURS] = hours_command,
        [COMMAND_WHY] = why_command,
        [COMMAND_TOTALS] = totals_command,
    };
    struct options options;
    enum exit_status status;
    int result = options_parse(argc, argv, &options, &status) ? run[options.command](&options) : (int)status;
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a report cut short must not look like a whole one */
        perror("minuted-ledger: standard output");
        return EXIT_FAILED;
    }
    return result;
}
