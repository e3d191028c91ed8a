/* Protobuf's wire format, read in place. */
#include "base/wire.h"

enum { VARINT_MAX = 10, NUMBER_MAX = (1 << 29) - 1 };

void wire_read(struct wire_reader *r, struct slice message)
{
    const unsigned char *bytes = (const unsigned char *)message.ptr;
    *r = (struct wire_reader){.at = bytes, .end = message.len == 0 ? bytes : bytes + message.len};
}

static bool fail(struct wire_reader *r)
{
    r->malformed = true;
    return false;
}

/* Bits beyond the 64th are dropped, as the format says. */
static bool read_varint(struct wire_reader *r, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_MAX && r->at < r->end; i++) {
        unsigned char byte = *r->at++;
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return fail(r);
}

static bool read_fixed(struct wire_reader *r, size_t size, uint64_t *out)
{
    if ((size_t)(r->end - r->at) < size)
        return fail(r);
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)r->at[i] << (8 * i);
    r->at += size;
    return true;
}

static bool read_bytes(struct wire_reader *r, struct slice *out)
{
    uint64_t len;
    if (!read_varint(r, &len))
        return false;
    if (len > (size_t)(r->end - r->at))
        return fail(r);
    *out = (struct slice){(const char *)r->at, (size_t)len};
    r->at += len;
    return true;
}

static bool read_field(struct wire_reader *r, struct wire_field *field)
{
    uint64_t tag;
    *field = (struct wire_field){0};
    if (!read_varint(r, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return fail(r);
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(r, &field->value);
    case WIRE_FIXED64:
        return read_fixed(r, 8, &field->value);
    case WIRE_FIXED32:
        return read_fixed(r, 4, &field->value);
    case WIRE_BYTES:
        return read_bytes(r, &field->bytes);
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        return true;
    }
    return fail(r);
}

bool wire_next(struct wire_reader *r, struct wire_field *field)
{
    uint32_t groups[WIRE_DEPTH_MAX]; /* the numbers of those that are open */
    size_t depth = 0;
    while (!r->malformed && r->at < r->end) {
        if (!read_field(r, field))
            return false;
        if (field->type == WIRE_GROUP) {
            if (depth == WIRE_DEPTH_MAX)
                return fail(r);
            groups[depth++] = field->number;
        } else if (field->type == WIRE_GROUP_END) {
            if (depth == 0 || groups[--depth] != field->number)
                return fail(r);
        } else if (depth == 0) {
            return true;
        }
    }
    return depth > 0 ? fail(r) : false;
}
