/*
 * Reading the configuration: YAML with a schema. Unknown keys and wrong values are errors that name file,
 * line and the nearest key. Precedence: --set over MINUTED_SECTION_KEY over the file over the default.
 */
#pragma once

#include "config/config.h"

/* One `--set section.key=value`; the value is read as YAML, so lists and maps may be given. */
struct config_override {
    const char *key;
    const char *value;
};

/*
 * Reads FILE (NULL: none), the environment ENVIRON ("NAME=value", NULL-terminated) and the OVERRIDES, then
 * checks what concerns several keys. A value that another replaces is not read, nor is the file that it
 * names; only kafka.properties are merged. A variable that begins with MINUTED_ and is no key is a problem,
 * except where service_variable_is() knows it for one of Kubernetes'. Values outside of FILE are YAML too,
 * and paths there are relative to the working directory; a list of words may be written "a,b". On failure
 * returns NULL and *ERROR gets a message ending in no newline, one problem a line, to be freed by the caller.
 */
struct config *config_load(const char *file, char *const *environ, const struct config_override *overrides,
    size_t n_overrides, bool dev, char **error);
void config_free(struct config *config);
