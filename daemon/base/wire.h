/*
 * Protobuf's wire format, read in place: field after field, with no message built and nothing allocated. A
 * field that the reader does not know therefore costs the time to pass over it, and no memory. (Unpacking by
 * the library keeps unknown fields: 64 KiB of them become 2.9 MB.)
 *
 *     struct cursor message = cursor_of(body);
 *     while (wire_next(&message, &field))
 *         if (field.number == 1 && field.type == WIRE_BYTES) ... every other field is passed over
 *     if (!message.ok) ...
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

enum { WIRE_DEPTH_MAX = 100 }; /* of groups within groups; the reference implementation's limit */

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2, /* bytes, strings, messages, packed numbers */
    WIRE_GROUP = 3, /* never given: groups are passed over, with all that is in them */
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* of a number, as its bits */
    struct slice bytes; /* of WIRE_BYTES; points into the message */
};

/*
 * The next field of MESSAGE outside of groups. False at the end of the message, and as soon as it is
 * malformed: it ends within a field, or holds what the format does not allow. Then the cursor has failed.
 */
bool wire_next(struct cursor *message, struct wire_field *field) __attribute__((warn_unused_result));
