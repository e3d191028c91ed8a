/* Log lines on standard error. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* Our sources name fewer kinds of events than this; if there were more, the last ones would share a row. */
enum { LOG_KINDS = 256, LOG_LINE = 2048 };

struct log_kind {
    const char *event;
    int64_t window_start_ms;
    unsigned written;
    unsigned suppressed;
};

struct log {
    _Atomic int level;
    pthread_mutex_t lock;
    struct log_kind kinds[LOG_KINDS];
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct log *log_new(enum log_level level)
{
    struct log *log = mem_zalloc(sizeof(*log));
    atomic_init(&log->level, (int)level);
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store(&log->level, (int)level);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* Whether one more line of this kind may be written. *SUPPRESSED gets how many the last window held back. */
static bool admit(struct log *log, const char *event, unsigned *suppressed)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&log->lock);
    size_t i = 0;
    while (i < LOG_KINDS - 1 && log->kinds[i].event != NULL && strcmp(log->kinds[i].event, event) != 0)
        i++;
    struct log_kind *kind = &log->kinds[i];
    kind->event = event;
    *suppressed = 0;
    if (kind->written == 0 || now - kind->window_start_ms >= LOG_WINDOW_MS) {
        *suppressed = kind->suppressed;
        kind->window_start_ms = now;
        kind->written = 0;
        kind->suppressed = 0;
    }
    bool admitted = kind->written < LOG_BURST;
    if (admitted)
        kind->written++;
    else
        kind->suppressed++;
    pthread_mutex_unlock(&log->lock);
    return admitted;
}

static size_t append(char *line, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static size_t append(char *line, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + at, LOG_LINE - at, format, args);
    va_end(args);
    size_t len = at + (size_t)(n < 0 ? 0 : n);
    return len < LOG_LINE - 1 ? len : LOG_LINE - 2;
}

void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    unsigned suppressed = 0;
    if (!log_enabled(log, level) || (level != LOG_DEBUG && !admit(log, event, &suppressed)))
        return;
    char line[LOG_LINE];
    int64_t now = clock_system_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(line, LOG_LINE, "time=%Y-%m-%dT%H:%M:%S", &utc);
    len = append(line, len, ".%03dZ level=%s event=%s ", (int)(now % 1000), level_names[level], event);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + len, LOG_LINE - len, format, args);
    va_end(args);
    len += (size_t)(n < 0 ? 0 : n);
    if (len > LOG_LINE - 2)
        len = LOG_LINE - 2;
    if (suppressed > 0)
        len = append(line, len, " suppressed=%u", suppressed);
    if (line[len - 1] == ' ')
        len--;
    line[len++] = '\n';
    /* The line is written in one call, so that lines of several threads do not mix. If that fails, there is
     * nowhere to report it.
     */
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

struct log_text log_quote(const char *text)
{
    struct log_text quoted;
    size_t at = 0;
    quoted.text[at++] = '"';
    for (const char *p = text; *p != '\0' && at < 400; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            quoted.text[at++] = '\\';
        quoted.text[at++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    quoted.text[at++] = '"';
    quoted.text[at] = '\0';
    return quoted;
}
