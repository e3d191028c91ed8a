/* Entity tags as requests name them. */
#include "http/entity_tag.h"

static struct slice without_front(struct slice s, size_t n)
{
    return (struct slice){s.ptr + n, s.len - n};
}

static struct slice skip_separators(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ',' || s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = without_front(s, 1);
    return s;
}

/* The tag at the front of *S, quotes included, without W/; empty when there is none. */
static struct slice take_tag(struct slice *s)
{
    struct slice none = {"", 0};
    if (s->len >= 2 && memcmp(s->ptr, "W/", 2) == 0)
        *s = without_front(*s, 2);
    if (s->len < 2 || s->ptr[0] != '"')
        return none;
    const char *end = memchr(s->ptr + 1, '"', s->len - 1);
    if (end == NULL)
        return none;
    struct slice tag = {s->ptr, (size_t)(end - s->ptr) + 1};
    *s = without_front(*s, tag.len);
    return tag;
}

bool entity_tag_listed(struct slice header, const char *tag)
{
    if (slice_is(header, "*"))
        return true;
    for (struct slice rest = skip_separators(header); rest.len > 0; rest = skip_separators(rest)) {
        struct slice listed = take_tag(&rest);
        if (listed.len == 0)
            return false;
        if (slice_is(listed, tag))
            return true;
    }
    return false;
}
