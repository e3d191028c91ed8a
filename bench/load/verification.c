/* Whether what came out is what was accepted. */
#include "load/verification.h"

#include <stdarg.h>
#include <stdio.h>

bool verification_refuse(struct verification *v, const char *format, ...)
{
    va_list args;
    if (v->problem[0] != '\0')
        return false;
    va_start(args, format);
    vsnprintf(v->problem, sizeof(v->problem), format, args);
    va_end(args);
    return false;
}
