/* The parts of a header's value. */
#include "http/field.h"

#include <strings.h>

struct slice field_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct slice field_part(struct slice s, char separator, struct slice *rest)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, separator, s.len);
    size_t len = at == NULL ? s.len : (size_t)(at - s.ptr);
    *rest = at == NULL ? (struct slice){"", 0} : (struct slice){at + 1, s.len - len - 1};
    return field_trim((struct slice){s.ptr, len});
}

bool field_is(struct slice s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}
