/* Protobuf's wire format, read in place. */
#include "base/wire.h"

enum { VARINT_MAX = 10, NUMBER_MAX = (1 << 29) - 1 };

/* Bits beyond the 64th are dropped, as the format says. */
static bool read_varint(struct cursor *c, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_MAX && cursor_left(c) > 0; i++) {
        uint8_t byte = cursor_take_u8(c);
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return cursor_fail(c);
}

static bool read_field(struct cursor *c, struct wire_field *field)
{
    uint64_t tag;
    uint64_t len;
    *field = (struct wire_field){0};
    if (!read_varint(c, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return cursor_fail(c);
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(c, &field->value);
    case WIRE_FIXED64:
        field->value = cursor_take_u64(c);
        return c->ok;
    case WIRE_FIXED32:
        field->value = cursor_take_u32(c);
        return c->ok;
    case WIRE_BYTES:
        if (!read_varint(c, &len))
            return false;
        field->bytes = cursor_take(c, len);
        return c->ok;
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        return true;
    }
    return cursor_fail(c);
}

bool wire_next(struct cursor *message, struct wire_field *field)
{
    uint32_t groups[WIRE_DEPTH_MAX]; /* the numbers of those that are open */
    size_t depth = 0;
    while (cursor_left(message) > 0) {
        if (!read_field(message, field))
            return false;
        if (field->type == WIRE_GROUP) {
            if (depth == WIRE_DEPTH_MAX)
                return cursor_fail(message);
            groups[depth++] = field->number;
        } else if (field->type == WIRE_GROUP_END) {
            if (depth == 0 || groups[--depth] != field->number)
                return cursor_fail(message);
        } else if (depth == 0) {
            return true;
        }
    }
    return depth > 0 ? cursor_fail(message) : false;
}
