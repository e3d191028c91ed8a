/* Problems found. */
#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>

void problems_add(struct problems *p, const char *source, int line, const char *format, ...)
{
    char text[512];
    va_list args;
    if (p->n++ >= PROBLEMS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t start = p->text.len;
    if (line > 0)
        buf_printf(&p->text, "%s:%d: %s", source, line, text);
    else
        buf_printf(&p->text, "%s: %s", source, text);
    for (size_t i = start; i < p->text.len;
         i++) { /* a line end in what is quoted must not look like another problem */
        unsigned char c = (unsigned char)p->text.data[i];
        if (c < 0x20 || c == 0x7f)
            p->text.data[i] = '?';
    }
    buf_append_char(&p->text, '\n');
}

char *problems_take(struct problems *p)
{
    if (p->n == 0)
        return NULL;
    if (p->n > PROBLEMS_MAX)
        buf_printf(&p->text, "and %zu more problems\n", p->n - PROBLEMS_MAX);
    p->text.data[p->text.len - 1] = '\0';
    char *text = p->text.data;
    *p = (struct problems){0};
    return text;
}
