/*
 * Log lines on standard error: `time=… level=… event=… key=value …`, one line each. Any thread may log.
 * Each kind of event is limited to LOG_BURST lines in LOG_WINDOW_MS; the first line of the next window
 * says how many were suppressed. Debug lines are not limited.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum { LOG_BURST = 10, LOG_WINDOW_MS = 10000 };

struct log;

struct log *log_new(enum log_level level);
void log_free(struct log *log);
void log_set_level(struct log *log, enum log_level level);
bool log_enabled(const struct log *log, enum log_level level);

/*
 * EVENT is a literal in snake_case that names the kind of event. FORMAT gives the `key=value` pairs;
 * values that may hold spaces, quotes or control characters are written by log_quote().
 */
void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* TEXT in double quotes with ", \ and control bytes escaped, cut at 400 bytes. */
struct log_text {
    char text[512];
};
struct log_text log_quote(const char *text);
/* Usage: log_event(log, LOG_WARN, "x", "error=%s", LOG_QUOTE(message)); */
#define LOG_QUOTE(message) (log_quote(message).text)
