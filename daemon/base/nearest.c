/* "Did you mean". */
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

/* Letters to change, add or drop (Levenshtein); names beyond 63 letters are not compared. */
static size_t distance(const char *a, const char *b)
{
    enum { LETTERS = 64 };
    size_t row[LETTERS];
    size_t n = strlen(b);
    if (n >= LETTERS)
        return LETTERS;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            size_t moved = (above < row[j - 1] ? above : row[j - 1]) + 1;
            row[j] = changed < moved ? changed : moved;
            diagonal = above;
        }
    }
    return row[n];
}

const char *nearest_name(const char *name, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t best = strlen(name) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(name, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

char *nearest_hint(char text[static NEAREST_HINT_MAX], const char *name, const char *const *names, size_t n)
{
    const char *nearest = nearest_name(name, names, n);
    text[0] = '\0';
    if (nearest != NULL)
        snprintf(text, NEAREST_HINT_MAX, "; did you mean '%s'?", nearest);
    return text;
}
