/*
 * When a civil day begins in a timezone, read from the system's zoneinfo (TZif, RFC 8536) without touching
 * TZ or any other state of the process. Transitions are those that the zone's file lists: fat files, as
 * Debian's are, list them up to 2037; later days keep the last one's offset.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct civil_zone;

/* NAME as "Asia/Shanghai". NULL when zoneinfo has no such zone or the file is damaged. */
struct civil_zone *civil_zone_load(const char *name);
void civil_zone_free(struct civil_zone *zone);

/*
 * Unix ms of a day's first instant: 00:00, the earlier one where clocks went back over it, or the end of the
 * gap where they went forward over it. DAY may be past the month's end (December 32 is January 1).
 */
int64_t civil_zone_day_start_ms(const struct civil_zone *zone, int year, int month, int day);
