/* Players who are to try again. */
#include "load/retries.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void retries_add(struct retries *r, struct retry retry)
{
    if (r->n == r->room) {
        r->room = r->room > 0 ? r->room * 2 : 64;
        r->items = mem_realloc(r->items, r->room * sizeof(*r->items));
    }
    size_t at = r->n++;
    for (; at > 0 && r->items[(at - 1) / 2].due_us > retry.due_us; at = (at - 1) / 2)
        r->items[at] = r->items[(at - 1) / 2];
    r->items[at] = retry;
}

int64_t retries_due_us(const struct retries *r)
{
    return r->n > 0 ? r->items[0].due_us : INT64_MAX;
}

struct retry retries_take(struct retries *r)
{
    assert(r->n > 0);
    struct retry first = r->items[0];
    struct retry last = r->items[--r->n];
    size_t at = 0;
    for (size_t child = 1; child < r->n; at = child, child = 2 * at + 1) {
        if (child + 1 < r->n && r->items[child + 1].due_us < r->items[child].due_us)
            child++;
        if (r->items[child].due_us >= last.due_us)
            break;
        r->items[at] = r->items[child];
    }
    r->items[at] = last;
    return first;
}

void retries_free(struct retries *r)
{
    free(r->items);
    *r = (struct retries){0};
}
