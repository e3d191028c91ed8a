/* JSON, strictly. */
#include "base/json.h"

#include "base/hex.h"
#include "base/utf8.h"

/* ---- the cursor ---- */

static bool fail(struct json_reader *r, const char *error)
{
    if (r->error == NULL) {
        r->error = error;
        r->error_offset = r->at;
    }
    return false;
}

/* The byte at the cursor, -1 at the end. */
static int peek(const struct json_reader *r)
{
    return r->at < r->text.len ? (unsigned char)r->text.ptr[r->at] : -1;
}

static int skip_space(struct json_reader *r)
{
    int c = peek(r);
    while (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        r->at++;
        c = peek(r);
    }
    return c;
}

static bool take(struct json_reader *r, char wanted)
{
    if (r->error != NULL || skip_space(r) != wanted)
        return false;
    r->at++;
    return true;
}

void json_read(struct json_reader *r, struct slice text, struct arena *arena)
{
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF in UTF-8 */
    size_t len = sizeof(mark) - 1;
    *r = (struct json_reader){.text = text, .arena = arena};
    if (text.len >= len && memcmp(text.ptr, mark, len) == 0)
        r->at = len;
}

enum json_type json_next_type(struct json_reader *r)
{
    if (r->error != NULL)
        return JSON_INVALID;
    int c = skip_space(r);
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : JSON_INVALID;
    }
}

/* ---- containers ---- */

static bool enter(struct json_reader *r, char bracket, const char *error)
{
    if (!take(r, bracket))
        return fail(r, error);
    if (++r->depth > JSON_DEPTH_MAX)
        return fail(r, "nested too deeply");
    r->first = true;
    return true;
}

/* Whether a further member follows; at the closing bracket leaves the container. */
static bool more(struct json_reader *r, char closing, const char *error)
{
    if (r->error != NULL)
        return false;
    bool first = r->first;
    r->first = false;
    if (take(r, closing)) {
        r->depth--;
        return false;
    }
    return first || take(r, ',') || fail(r, error);
}

bool json_object(struct json_reader *r)
{
    return enter(r, '{', "an object was expected");
}

static bool next_member(struct json_reader *r)
{
    return more(r, '}', "',' or '}' was expected");
}

static bool take_colon(struct json_reader *r)
{
    return take(r, ':') || fail(r, "':' was expected");
}

bool json_array(struct json_reader *r)
{
    return enter(r, '[', "an array was expected");
}

bool json_element(struct json_reader *r)
{
    return more(r, ']', "',' or ']' was expected");
}

/* ---- strings ---- */

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether any of eight bytes is no plain character of ASCII: a quote, a backslash, control or above 0x7f. */
static bool eight_special(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    uint64_t quote = (word ^ EVERY_BYTE('"')) - EVERY_BYTE(1);
    uint64_t backslash = (word ^ EVERY_BYTE('\\')) - EVERY_BYTE(1);
    uint64_t control = word - EVERY_BYTE(0x20);
    return ((word | quote | backslash | control) & EVERY_BYTE(0x80)) != 0;
}

/* Moves to the first byte that is not plain: quote, backslash, control byte, end. */
static bool skip_plain(struct json_reader *r)
{
    const char *text = r->text.ptr;
    size_t len = r->text.len;
    size_t at = r->at;
    for (;;) {
        while (len - at >= 8 && !eight_special(text + at))
            at += 8;
        unsigned char c = at < len ? (unsigned char)text[at] : 0;
        size_t n = c < 0x80 ? 1 : utf8_length((const unsigned char *)text + at, len - at);
        r->at = at;
        if (n == 0)
            return fail(r, "invalid UTF-8");
        if (c < 0x20 || c == '"' || c == '\\')
            return true;
        at += n;
    }
}

/* The four digits after \u. */
static bool read_hex(struct json_reader *r, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(r));
        if (digit < 0)
            return fail(r, "\\u needs four hexadecimal digits");
        *code = *code * 16 + (unsigned)digit;
        r->at++;
    }
    return true;
}

static size_t write_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[n] | code);
    return n;
}

/* A \u escape after its 'u', with its other half where it is a surrogate. */
static bool read_code(struct json_reader *r, unsigned *code)
{
    unsigned low;
    if (!read_hex(r, code))
        return false;
    if (*code >= 0xdc00 && *code <= 0xdfff)
        return fail(r, "a lone surrogate");
    if (*code < 0xd800 || *code > 0xdbff)
        return true;
    if (r->text.len - r->at < 2 || r->text.ptr[r->at] != '\\' || r->text.ptr[r->at + 1] != 'u')
        return fail(r, "a lone surrogate");
    r->at += 2;
    if (!read_hex(r, &low))
        return false;
    if (low < 0xdc00 || low > 0xdfff)
        return fail(r, "a lone surrogate");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* One escape, the cursor behind its backslash, into OUT (4 bytes). Returns its length, 0 when it is bad. */
static size_t read_escape(struct json_reader *r, char *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    unsigned code;
    int c = peek(r);
    const char *name = c > 0 ? strchr(names, c) : NULL;
    if (name != NULL) {
        r->at++;
        out[0] = values[name - names];
        return 1;
    }
    if (c != 'u') {
        fail(r, "an unknown escape");
        return 0;
    }
    r->at++;
    return read_code(r, &code) ? write_utf8(out, code) : 0;
}

/* Passes over a string's characters up to its closing quote. */
static bool scan_string(struct json_reader *r, bool *escaped)
{
    char discarded[4];
    *escaped = false;
    while (skip_plain(r) && peek(r) == '\\') {
        *escaped = true;
        r->at++;
        if (read_escape(r, discarded) == 0)
            return false;
    }
    if (r->error != NULL)
        return false;
    if (peek(r) != '"')
        return fail(r, r->at == r->text.len ? "a string without an end" : "a control character in a string");
    return true;
}

/* What stands between the quotes, as it is written. */
static bool read_raw(struct json_reader *r, struct slice *out, bool *escaped)
{
    if (!take(r, '"'))
        return fail(r, "a string was expected");
    size_t start = r->at;
    if (!scan_string(r, escaped))
        return false;
    *out = (struct slice){r->text.ptr + start, r->at - start};
    r->at++;
    return true;
}

/* Writes what RAW stands for to COPY, which is never longer. RAW was scanned, so it holds no error. */
static size_t unescape(struct slice raw, char *copy)
{
    struct json_reader r = {.text = raw};
    size_t len = 0;
    while (r.at < raw.len) {
        if (raw.ptr[r.at] == '\\') {
            r.at++;
            len += read_escape(&r, copy + len);
        } else {
            copy[len++] = raw.ptr[r.at++];
        }
    }
    return len;
}

bool json_string(struct json_reader *r, struct slice *out)
{
    bool escaped;
    if (!read_raw(r, out, &escaped))
        return false;
    if (!escaped)
        return true;
    char *copy = arena_alloc(r->arena, out->len);
    if (copy == NULL)
        return fail(r, "too large");
    *out = (struct slice){copy, unescape(*out, copy)};
    return true;
}

/*
 * A key with escapes is written into the reader and not into the arena, since a stranger may send thousands
 * of them. A key that is too long for the reader stays as it was written, with its backslashes; nobody asks
 * for such a name.
 */
bool json_member(struct json_reader *r, struct slice *key)
{
    bool escaped;
    if (!next_member(r) || !read_raw(r, key, &escaped))
        return false;
    if (escaped && key->len <= JSON_KEY_MAX)
        *key = (struct slice){r->key, unescape(*key, r->key)};
    return take_colon(r);
}

static bool skip_string(struct json_reader *r)
{
    struct slice passed_over;
    bool escaped;
    return read_raw(r, &passed_over, &escaped);
}

/* ---- numbers and words ---- */

static size_t skip_digits(struct json_reader *r)
{
    size_t from = r->at;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at - from;
}

static bool scan_number(struct json_reader *r)
{
    if (peek(r) == '-')
        r->at++;
    bool zero = peek(r) == '0';
    size_t digits = skip_digits(r);
    if (digits == 0 || (zero && digits > 1))
        return fail(r, digits == 0 ? "a value was expected" : "a number with a leading zero");
    if (peek(r) == '.') {
        r->at++;
        if (skip_digits(r) == 0)
            return fail(r, "a number needs digits after its point");
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (skip_digits(r) == 0)
            return fail(r, "a number needs digits in its exponent");
    }
    return true;
}

bool json_number(struct json_reader *r, struct json_number *out)
{
    if (json_next_type(r) != JSON_NUMBER)
        return fail(r, "a number was expected");
    size_t start = r->at;
    return scan_number(r) &&
           (json_number_value((struct slice){r->text.ptr + start, r->at - start}, r->arena, out) ||
               fail(r, "too large"));
}

static bool take_word(struct json_reader *r, const char *word)
{
    size_t len = strlen(word);
    if (r->text.len - r->at < len || memcmp(r->text.ptr + r->at, word, len) != 0)
        return fail(r, "a value was expected");
    r->at += len;
    return true;
}

/* ---- skipping and ending ---- */

/* Recursion ends at JSON_DEPTH_MAX. NOLINTNEXTLINE(misc-no-recursion) */
bool json_skip(struct json_reader *r)
{
    switch (json_next_type(r)) {
    case JSON_OBJECT:
        if (!json_object(r))
            return false;
        while (next_member(r))
            if (!skip_string(r) || !take_colon(r) || !json_skip(r))
                return false;
        return r->error == NULL;
    case JSON_ARRAY:
        if (!json_array(r))
            return false;
        while (json_element(r))
            if (!json_skip(r))
                return false;
        return r->error == NULL;
    case JSON_STRING:
        return skip_string(r);
    case JSON_NUMBER:
        return scan_number(r);
    case JSON_TRUE:
        return take_word(r, "true");
    case JSON_FALSE:
        return take_word(r, "false");
    case JSON_NULL:
        return take_word(r, "null");
    default:
        return fail(r, "a value was expected");
    }
}

bool json_end(struct json_reader *r)
{
    if (r->error != NULL)
        return false;
    if (skip_space(r) != -1)
        return fail(r, "something follows the end");
    return r->depth == 0 || fail(r, "the text ends too early");
}
