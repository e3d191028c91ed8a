/* The names of minuted's keys. */
#include "redis/key.h"

#include <stdio.h>

#include "redis/partition.h"
#include "redis/resp.h"

void key_prefix_init(struct key_prefix *prefix, int partition, int partitions)
{
    char tag[PARTITION_TAG_MAX + 1];
    partition_tag(partition, partitions, tag);
    prefix->len = (size_t)snprintf(prefix->text, sizeof(prefix->text), "minuted:{%s}:", tag);
}

static struct slice prefix_slice(const struct key_prefix *prefix)
{
    return (struct slice){prefix->text, prefix->len};
}

void key_append(struct buf *b, const struct key_prefix *prefix, const char *name)
{
    struct slice none = {"", 0};
    resp_joined(b, prefix_slice(prefix), slice_of(name), none, none);
}

void key_append_number(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    resp_joined(
        b, prefix_slice(prefix), slice_of(name), SLICE_LITERAL(":"), (struct slice){text, (size_t)len});
}

void key_append_learner(struct buf *b, struct slice portal, struct slice learner)
{
    resp_joined(b, portal, SLICE_LITERAL("/"), learner, SLICE_LITERAL(""));
}

void key_append_totals(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner)
{
    char head[40];
    memcpy(head, prefix->text, prefix->len);
    head[prefix->len] = 't';
    head[prefix->len + 1] = ':';
    resp_joined(b, (struct slice){head, prefix->len + 2}, portal, SLICE_LITERAL("/"), learner);
}
