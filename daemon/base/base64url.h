/*
 * base64url without padding (RFC 4648, section 5; as in RFC 7515).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Characters that LEN bytes become. */
#define BASE64URL_LEN(len) (((len)*4 + 2) / 3)

/* Writes BASE64URL_LEN(len) characters and no NUL; returns how many. */
size_t base64url_encode(const void *bytes, size_t len, char *out);

/*
 * Decodes LEN characters into OUT (at least LEN * 3 / 4 bytes). False on padding, other characters, an
 * impossible length or non-zero spare bits, so that every value has one spelling.
 */
bool base64url_decode(const char *text, size_t len, void *out, size_t *out_len)
    __attribute__((warn_unused_result));
