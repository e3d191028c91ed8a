/* When a civil day begins in a timezone. */
#include "config/civil_zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, ZONE_BYTES_MAX = 256 * 1024 };

struct civil_zone {
    size_t n;        /* transitions */
    int64_t *at;     /* Unix seconds, rising */
    int32_t *offset; /* seconds east of UTC from then on */
    int32_t initial; /* before the first */
};

/* Counts in a TZif header, in the file's order. */
struct counts {
    uint32_t utc, standard, leaps, transitions, types, chars;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(const unsigned char *p, size_t left, struct counts *c)
{
    if (left < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
        return false;
    *c = (struct counts){be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36), be32(p + 40)};
    return c->transitions < 100000 && c->types > 0 && c->types <= 256 && c->chars < 10000 &&
           c->leaps < 10000 && c->utc <= 256 && c->standard <= 256;
}

/* Bytes of the data block after a header whose times have TIME_BYTES each. */
static size_t block_bytes(const struct counts *c, size_t time_bytes)
{
    return c->transitions * (time_bytes + 1) + (size_t)c->types * TYPE_BYTES + c->chars +
           c->leaps * (time_bytes + 4) + c->standard + c->utc;
}

static struct civil_zone *read_block(const unsigned char *p, const struct counts *c)
{
    struct civil_zone *zone = mem_zalloc(sizeof(*zone));
    const unsigned char *indexes = p + c->transitions * 8;
    const unsigned char *types = indexes + c->transitions;
    zone->n = c->transitions;
    zone->at = mem_zalloc(zone->n * sizeof(*zone->at));
    zone->offset = mem_zalloc(zone->n * sizeof(*zone->offset));
    zone->initial = (int32_t)be32(types);
    for (size_t i = 0; i < zone->n; i++) {
        if (indexes[i] >= c->types) {
            civil_zone_free(zone);
            return NULL;
        }
        zone->at[i] = be64(p + i * 8);
        zone->offset[i] = (int32_t)be32(types + (size_t)indexes[i] * TYPE_BYTES);
    }
    return zone;
}

/* Version 2 files repeat everything with 64-bit times behind the block for old readers. */
static struct civil_zone *read_zone(const unsigned char *p, size_t len)
{
    struct counts old;
    struct counts c;
    if (!read_header(p, len, &old) || p[4] < '2')
        return NULL;
    size_t second = HEADER_BYTES + block_bytes(&old, 4);
    if (second > len || !read_header(p + second, len - second, &c) ||
        len - second - HEADER_BYTES < block_bytes(&c, 8))
        return NULL;
    return read_block(p + second + HEADER_BYTES, &c);
}

static bool name_is_plain(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_+-/", *c) == NULL)
            return false;
    return isalpha((unsigned char)name[0]) && strlen(name) < 64;
}

struct civil_zone *civil_zone_load(const char *name)
{
    char path[128];
    struct buf bytes = {0};
    if (!name_is_plain(name))
        return NULL;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    struct civil_zone *zone = NULL;
    if (file_read(path, ZONE_BYTES_MAX, &bytes))
        zone = read_zone((const unsigned char *)bytes.data, bytes.len);
    buf_free(&bytes);
    return zone;
}

void civil_zone_free(struct civil_zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->at);
    free(zone->offset);
    free(zone);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t civil_zone_day_start_ms(const struct civil_zone *zone, int year, int month, int day)
{
    int64_t local = days_of(year, month, day) * 86400;
    int64_t unix_s = local - zone->initial;
    /* The first stretch of one offset in which the clock shows midnight, or begins past it. */
    for (size_t i = 0; i < zone->n && unix_s >= zone->at[i]; i++) {
        unix_s = local - zone->offset[i];
        unix_s = unix_s > zone->at[i] ? unix_s : zone->at[i];
    }
    return unix_s * 1000;
}
