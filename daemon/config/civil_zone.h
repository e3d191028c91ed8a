/*
 * When a civil day begins in a timezone, read from the system's zoneinfo (TZif, RFC 9636) without touching TZ
 * or any other state of the process. After the changes that a zone's file lists, the rule in its footer goes
 * on; so it does not matter whether the file is a fat one, which lists changes up to 2037, or a slim one,
 * which stops where the rule begins.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct civil_zone;

/* NAME as "Asia/Shanghai". NULL when zoneinfo has no such zone or the file is damaged. */
struct civil_zone *civil_zone_load(const char *name);
/*
 * The zone that FILE holds, the bytes of a TZif file; NULL when it is damaged. For tests: they have zones of
 * their own making.
 */
struct civil_zone *civil_zone_parse(struct slice file);

void civil_zone_free(struct civil_zone *zone);

/*
 * Unix ms of a day's first instant: 00:00, the earlier one where clocks went back over it, or the end of the
 * gap where they went forward over it. DAY may be past the month's end (December 32 is January 1).
 */
int64_t civil_zone_day_start_ms(const struct civil_zone *zone, int year, int month, int day);
