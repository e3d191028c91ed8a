/* minuted-ledger: the worked consumer of minuted's records. */
#include <stdio.h>
#include <string.h>

#include "ledger/commands.h"

static const char usage[] = "Usage: minuted-ledger COMMAND [options]\n"
                            "\n"
                            "  follow   read the topics into a SQLite file\n"
                            "  hours    who may be certified, and what is missing\n"
                            "  why      one learner's minute, second by second\n"
                            "  totals   seconds by last record, greatest and evidence: do they agree?\n"
                            "\n"
                            "'minuted-ledger COMMAND --help' says more. --version prints the version.\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"follow", follow_command}, {"hours", hours_command}, {"why", why_command},
        {"totals", totals_command}};
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0)
        return puts("minuted-ledger " MINUTED_VERSION) < 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return fputs(usage, stdout) < 0;
    fputs(usage, stderr);
    return EXIT_USAGE;
}
