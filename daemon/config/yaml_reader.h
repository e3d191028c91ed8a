/*
 * YAML as configuration and catalog use it: scalars, lists and maps in memory, each with its line. Anchors,
 * aliases, tags, duplicate keys, several documents and deep nesting are problems, not features.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "config/problems.h"

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 16, YAML_PAIRS_MAX = 1000 };

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_pair;

struct yaml_node {
    enum yaml_type type;
    int line;         /* from 1 */
    bool quoted;      /* a scalar in quotes is always text */
    const char *text; /* of a scalar, NUL-terminated */
    size_t n;         /* items or pairs */
    struct yaml_node **items;
    struct yaml_pair *pairs;
};

struct yaml_pair {
    const char *key;
    int line;
    struct yaml_node *value;
};

/*
 * Reads TEXT of at most YAML_BYTES_MAX bytes, each map of at most YAML_PAIRS_MAX keys; SOURCE names it in
 * problems. The nodes live in ARENA. NULL after a problem was added. An empty document is an empty map.
 */
struct yaml_node *yaml_read_text(
    const char *source, const char *text, size_t len, struct arena *arena, struct problems *problems);
/* The same from a file of at most YAML_BYTES_MAX bytes. */
struct yaml_node *yaml_read_file(const char *path, struct arena *arena, struct problems *problems);

/* The value of KEY in a map; NULL when missing. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* Whether a scalar says nothing: empty, ~ or null, unquoted. */
bool yaml_is_null(const struct yaml_node *node);

/*
 * Reads the plain decimal number (digits, perhaps a point and digits) that TEXT begins with; *REST is what
 * follows it. NAN when it begins with none.
 */
double yaml_decimal(const char *text, const char **rest);
