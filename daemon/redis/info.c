/* Reading the text that INFO answers with. */
#include "redis/info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *info_value(const char *info, const char *name, char value[static INFO_VALUE_MAX])
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            size_t n = strcspn(line + len + 1, "\r\n");
            snprintf(value, INFO_VALUE_MAX, "%.*s", (int)n, line + len + 1);
            break;
        }
    }
    return value;
}

int64_t info_number(const char *info, const char *name)
{
    char value[INFO_VALUE_MAX];
    long long number = strtoll(info_value(info, name, value), NULL, 10);
    return number > 0 ? number : 0;
}

bool info_is(const char *info, const char *name, const char *wanted)
{
    char value[INFO_VALUE_MAX];
    return strcmp(info_value(info, name, value), wanted) == 0;
}
