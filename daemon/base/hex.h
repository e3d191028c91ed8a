/*
 * Hexadecimal digits.
 */
#pragma once

/* The value of C, of either case; -1 when it is no digit (the end of a text, 0, for one). */
static inline int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
