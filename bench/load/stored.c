/* What Redis stores of a learner. */
#include "load/stored.h"

enum {
    FORMAT = 1,
    WORD = 4,
    WORD_BITS = 30, /* a mask is two words of 30 bits, low first */
    MASKS = STORED_MINUTES * 2 * WORD,
    INTERVAL = 2 * WORD
};

/* Takes N bytes from *REST; NULL when there are fewer. */
static const unsigned char *take(struct slice *rest, size_t n)
{
    if (rest->len < n)
        return NULL;
    const char *taken = rest->ptr;
    *rest = (struct slice){rest->ptr + n, rest->len - n};
    return (const unsigned char *)taken;
}

static uint32_t word_at(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool take_format(struct slice *rest)
{
    const unsigned char *format = take(rest, 1);
    return format != NULL && *format == FORMAT;
}

/* An id behind its length, which is one byte. */
static bool take_id(struct slice *rest, struct slice *id)
{
    const unsigned char *len = take(rest, 1);
    const unsigned char *bytes = len != NULL ? take(rest, *len) : NULL;
    if (bytes == NULL)
        return false;
    *id = (struct slice){(const char *)bytes, *len};
    return true;
}

bool stored_masks(struct slice value, struct slice *lessons)
{
    *lessons = value;
    return take_format(lessons);
}

bool stored_next_lesson(struct slice *lessons, struct stored_lesson *lesson)
{
    if (!take_id(lessons, &lesson->id))
        return false;
    const unsigned char *at = take(lessons, MASKS);
    if (at == NULL)
        return false;
    for (int i = 0; i < STORED_MINUTES; i++, at += 2 * WORD) {
        uint64_t low = word_at(at);
        uint64_t high = word_at(at + WORD);
        if (((low | high) >> WORD_BITS) != 0)
            return false;
        lesson->masks[i] = low | high << WORD_BITS;
    }
    return true;
}

bool stored_total(struct slice value, int64_t *watched_seconds)
{
    struct slice rest = value;
    struct slice course;
    const unsigned char *watched = take_format(&rest) ? take(&rest, WORD) : NULL;
    if (watched == NULL || take(&rest, WORD) == NULL /* the last minute */ || !take_id(&rest, &course))
        return false;
    *watched_seconds = word_at(watched);
    /* The rest are media intervals [from, to), sorted and disjoint. */
    uint32_t covered_to = 0;
    while (rest.len > 0) {
        const unsigned char *at = take(&rest, INTERVAL);
        if (at == NULL || word_at(at) < covered_to || word_at(at) >= word_at(at + WORD))
            return false;
        covered_to = word_at(at + WORD);
    }
    return true;
}
