/*
 * What the readers of values share: a reader puts one value, as YAML, into the configuration.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "config/problems.h"
#include "config/yaml_reader.h"

/* Where a value came from: what relative paths are relative to, and who is named in problems. */
struct config_source {
    const char *name;   /* "minuted.yaml", "environment MINUTED_HTTP_LISTEN", "--set http.listen" */
    const char *folder; /* with a trailing slash, "" for the working directory */
    bool has_lines;
};

/* What a row's reader works on. */
struct config_reading {
    struct config *config;
    const struct config_source *source;
    struct problems *problems;
};

struct config_key;

/* Reads NODE into the configuration, in place of what was there; adds a problem when it does not fit. */
typedef void config_reader(
    struct config_reading *r, const struct config_key *key, const struct yaml_node *node);

/* Keys that are kept in the same field are alternatives: a layer gives one of them. */
struct config_key {
    const char *name; /* "http.listen" */
    config_reader *read;
    size_t offset;       /* in struct config */
    const char *initial; /* the default as YAML; NULL: none */
    double min;          /* of numbers, durations (ms or µs) and sizes (bytes) */
    double max;
    const char *choices; /* of words: "auto single sentinel cluster" in the order of the enum */
    bool reloadable;     /* SIGHUP puts a new value in force; else it takes a restart */
};

/* The field of the configuration that KEY, a row of the schema, is kept in. */
#define CONFIG_FIELD(config, key, type) ((type *)(void *)((char *)(config) + (key)->offset))

/* Adds a problem that names the source, and NODE's line where the source has lines. */
void config_problem(struct config_reading *r, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether NODE is one value. Where it is none, a problem was added. */
bool config_want_scalar(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
    __attribute__((warn_unused_result));

/*
 * The raw bytes of the file that NODE, the value of KEY, names; one trailing newline is dropped. False after
 * a problem was added.
 */
bool config_read_file(struct config_reading *r, const struct yaml_node *node, const char *key,
    struct buf *bytes) __attribute__((warn_unused_result));

/* PATH as seen from the source's folder; to be freed. */
char *config_resolve_path(const struct config_source *source, const char *path);
