/* What a load came to. */
#include "load/result.h"

#include <stdlib.h>
#include <string.h>

void result_free(struct result *r)
{
    free(r->seconds);
    r->seconds = NULL;
    r->n_seconds = 0;
}

void result_add_counts(struct load_counts *into, const struct load_counts *from)
{
    into->offered += from->offered;
    into->sent += from->sent;
    into->answered += from->answered;
    into->refused += from->refused;
    into->failed += from->failed;
    into->accepted += from->accepted;
    into->retried += from->retried;
    into->rejected += from->rejected;
    into->credited_s += from->credited_s;
}

bool result_is_client(const char *name)
{
    return strncmp(name, "client", strlen("client")) == 0;
}
