/* What the readers of values share. */
#include "config/config_reading.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { CONFIG_FILE_MAX = 65536 };

void config_problem(struct config_reading *r, const struct yaml_node *node, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problems_add(r->problems, r->source->name, r->source->has_lines ? node->line : 0, "%s", text);
}

char *config_resolve_path(const struct config_source *source, const char *path)
{
    struct buf joined = {0};
    if (path[0] != '/')
        buf_append_string(&joined, source->folder);
    buf_append_string(&joined, path);
    buf_append_char(&joined, '\0');
    return joined.data;
}

bool config_want_scalar(struct config_reading *r, const struct config_key *key, const struct yaml_node *node)
{
    if (node->type == YAML_SCALAR && !yaml_is_null(node))
        return true;
    config_problem(r, node, "%s: expected one value, not %s", key->name,
        node->type == YAML_LIST  ? "a list"
        : node->type == YAML_MAP ? "a map"
                                 : "nothing");
    return false;
}

bool config_read_file(
    struct config_reading *r, const struct yaml_node *node, const char *key, struct buf *bytes)
{
    if (node->type != YAML_SCALAR || node->text[0] == '\0') {
        config_problem(r, node, "%s: expected a path", key);
        return false;
    }
    char *path = config_resolve_path(r->source, node->text);
    bool good = file_read(path, CONFIG_FILE_MAX, bytes);
    if (!good)
        config_problem(r, node, "%s: %s cannot be read: %s", key, path, strerror(errno));
    free(path);
    if (!good)
        buf_free(bytes);
    else if (bytes->len > 0 && bytes->data[bytes->len - 1] == '\n')
        bytes->len--;
    return good;
}
