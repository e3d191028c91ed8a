/* What the monitor found about a Redis server. */
#include "redis/condition.h"

#include <stdarg.h>
#include <stdio.h>

void condition_complain(struct redis_condition *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->problem, sizeof(c->problem), format, args);
    va_end(args);
}
