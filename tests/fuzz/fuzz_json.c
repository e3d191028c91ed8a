/*
 * Any text, read as JSON: skipping it and reading it agree; an error stands inside the text; what was read,
 * written and read again is the same, and so is what is written then.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct budget budget = {64 * 1024, 64, 5000, 500};

static bool copy_value(struct json_reader *r, struct buf *out);

/* A key that is too long for the reader to take its escapes out is given as it is written, and written so. */
static void copy_key(struct slice key, struct buf *out)
{
    if (key.len <= JSON_KEY_MAX || memchr(key.ptr, '\\', key.len) == NULL) {
        json_write_string(out, key);
        return;
    }
    buf_append_char(out, '"');
    buf_append_slice(out, key);
    buf_append_char(out, '"');
}

static bool copy_object(struct json_reader *r, struct buf *out)
{
    struct slice key;
    char before = '\0';
    buf_append_char(out, '{');
    if (!json_object(r))
        return false;
    while (json_member(r, &key)) {
        if (before != '\0')
            buf_append_char(out, before);
        before = ',';
        copy_key(key, out);
        buf_append_char(out, ':');
        if (!copy_value(r, out))
            return false;
    }
    buf_append_char(out, '}');
    return r->error == NULL;
}

static bool copy_array(struct json_reader *r, struct buf *out)
{
    char before = '\0';
    buf_append_char(out, '[');
    if (!json_array(r))
        return false;
    while (json_element(r)) {
        if (before != '\0')
            buf_append_char(out, before);
        before = ',';
        if (!copy_value(r, out))
            return false;
    }
    buf_append_char(out, ']');
    return r->error == NULL;
}

static bool copy_string(struct json_reader *r, struct buf *out)
{
    struct slice text;
    if (!json_string(r, &text))
        return false;
    for (size_t at = 0; at < text.len;) {
        size_t n = utf8_length((const unsigned char *)text.ptr + at, text.len - at);
        assert(n > 0);
        at += n;
    }
    json_write_string(out, text);
    return true;
}

/* A number is written so that it reads as the same; one beyond a double as what is beyond it too. */
static bool copy_number(struct json_reader *r, struct buf *out)
{
    struct json_number number;
    if (!json_number(r, &number))
        return false;
    assert(!isnan(number.value));
    assert(!number.integral || (double)number.integer == number.value);
    if (number.integral || number.value == 0) /* 1e-999 is no whole number, and yet reads as 0 */
        buf_append_int(out, number.integer);
    else if (isinf(number.value))
        buf_append_string(out, number.value > 0 ? "1e999" : "-1e999");
    else
        buf_printf(out, "%.17g", number.value);
    return true;
}

static bool copy_bool(struct json_reader *r, struct buf *out)
{
    bool value = json_next_type(r) == JSON_TRUE;
    if (!json_skip(r))
        return false;
    buf_append_string(out, value ? "true" : "false");
    return true;
}

/* Recursion ends at JSON_DEPTH_MAX. NOLINTNEXTLINE(misc-no-recursion) */
static bool copy_value(struct json_reader *r, struct buf *out)
{
    switch (json_next_type(r)) {
    case JSON_OBJECT:
        return copy_object(r, out);
    case JSON_ARRAY:
        return copy_array(r, out);
    case JSON_STRING:
        return copy_string(r, out);
    case JSON_NUMBER:
        return copy_number(r, out);
    case JSON_TRUE:
    case JSON_FALSE:
        return copy_bool(r, out);
    case JSON_NULL:
        buf_append_string(out, "null");
        return json_skip(r);
    default:
        return json_skip(r);
    }
}

/* Whether TEXT is JSON; OUT gets it rewritten. */
static bool copy(struct slice text, struct arena *arena, struct buf *out)
{
    struct json_reader r;
    json_read(&r, text, arena);
    bool good = copy_value(&r, out) && json_end(&r);
    assert(good == (r.error == NULL));
    assert(good || r.error_offset <= text.len);
    assert(arena->total <= 16 * (text.len + 1));
    return good;
}

static bool skip(struct slice text)
{
    struct arena none = {.limit = 1}; /* nothing is kept of what is skipped */
    struct json_reader r;
    json_read(&r, text, &none);
    json_skip(&r);
    bool good = json_end(&r);
    assert(good == (r.error == NULL));
    assert(good || r.error_offset <= text.len);
    arena_free(&none);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct arena arena = {0};
    struct buf once = {0};
    struct buf twice = {0};
    budget_begin();
    bool good = copy(text, &arena, &once);
    assert(good == skip(text));
    arena_reset(&arena);
    if (good) {
        bool again = copy(buf_slice(&once), &arena, &twice);
        assert(again && slice_equal(buf_slice(&once), buf_slice(&twice)));
    }
    arena_free(&arena);
    buf_free(&once);
    buf_free(&twice);
    budget_end(&budget, size);
    return 0;
}
