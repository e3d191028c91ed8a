/*
 * The configuration's schema: one row a key. The source of names, types, defaults and limits.
 */
#pragma once

#include "config/config.h"
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
};

enum { CONFIG_KEYS_MAX = 64 };

extern const struct config_key config_keys[];
extern const size_t n_config_keys;

/* The row of NAME; NULL when there is none. */
const struct config_key *config_find_key(const char *name);

/* Whether the value is a list of words, which outside of files may be written "a,b". */
bool config_key_is_list(const struct config_key *key);

void config_problem(struct config_reading *r, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the rows have allocated. */
void config_free_values(struct config *config);

/* The section `auth`, and Redis's password; see config_auth.c. */
config_reader config_read_session_key;
config_reader config_read_session_key_file;
config_reader config_read_issuers;
config_reader config_read_password;
config_reader config_read_password_file;
void config_free_auth(struct config *config);

/* The raw bytes of the file that NODE, the value of KEY, names; one trailing newline dropped. */
bool config_read_file(struct config_reading *r, const struct yaml_node *node, const char *key,
    struct buf *bytes) __attribute__((warn_unused_result));

/* PATH as seen from the source's folder; to be freed. */
char *config_resolve_path(const struct config_source *source, const char *path);
