/* What the commands share. */
#include "ledger/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"

bool commands_complain(char *problem)
{
    fprintf(stderr, "minuted-ledger: %s\n", problem);
    free(problem);
    return false;
}

struct database *commands_open_database(const char *path, const char *topic_prefix)
{
    char *problem = NULL;
    struct database *db = database_open(path, topic_prefix, &problem);
    if (db == NULL)
        commands_complain(problem);
    return db;
}

void commands_append_member(struct buf *b, const char *name, struct slice value)
{
    buf_append_string(b, name);
    json_write_string(b, value);
}
