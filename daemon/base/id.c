/* What may be an id. */
#include "base/id.h"

#include "base/utf8.h"

bool id_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '.' && c != '_' && c != '-')
            return false;
    }
    return id.len >= 1 && id.len <= ID_MAX;
}

bool id_name_valid(struct slice name)
{
    return name.len >= 1 && name.len <= ID_NAME_MAX && utf8_text_valid(name);
}
