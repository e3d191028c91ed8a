/*
 * The names of minuted's keys, and how they are written into a command. A partition's keys share a hash tag,
 * so that one server of a cluster holds them all. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

#define KEY_PUBLISHER "minuted:publisher"
#define KEY_WATERMARKS "minuted:watermarks"
/* Hash of what every daemon of a deployment must agree on: partitions, horizon, and whether it runs with
 * --dev. */
#define KEY_SETTINGS "minuted:settings"

/* "minuted:{tag}:" */
struct key_prefix {
    char text[32];
    size_t len;
};

void key_prefix_init(struct key_prefix *prefix, int partition, int partitions);

/* Each appends one argument of a command: `minuted:{tag}:<name>`, `minuted:{tag}:<name>:<number>`, */
void key_append(struct buf *b, const struct key_prefix *prefix, const char *name);
void key_append_number(struct buf *b, const struct key_prefix *prefix, const char *name, int64_t number);
/* `minuted:{tag}:t:<portal>/<learner>`, */
void key_append_totals(
    struct buf *b, const struct key_prefix *prefix, struct slice portal, struct slice learner);
/* and `<portal>/<learner>`, as sets and hashes name a learner. */
void key_append_learner(struct buf *b, struct slice portal, struct slice learner);
