/* YAML as configuration and catalog use it. */
#include "config/yaml_reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"

/* ---- building nodes from events ---- */

struct builder {
    yaml_parser_t parser;
    const char *source;
    const char *text;
    struct arena *arena;
    struct problems *problems;
    int depth;
};

static int line_of(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

static bool next_event(struct builder *b, yaml_event_t *event)
{
    if (yaml_parser_parse(&b->parser, event) == 1)
        return true;
    const yaml_parser_t *parser = &b->parser;
    /* libyaml gives an offset where bytes are no text, and a mark for every other failure. */
    int line = (int)parser->problem_mark.line + 1;
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset; i++)
            line += b->text[i] == '\n';
    }
    problems_add(b->problems, b->source, line, "not valid YAML: %s%s%s",
        parser->problem == NULL ? "unreadable" : parser->problem, parser->context == NULL ? "" : " ",
        parser->context == NULL ? "" : parser->context);
    return false;
}

static bool is_plain(
    struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor == NULL && tag == NULL)
        return true;
    problems_add(b->problems, b->source, line_of(event), "anchors and tags are not supported");
    return false;
}

static struct yaml_node *new_node(struct builder *b, enum yaml_type type, const yaml_event_t *event)
{
    struct yaml_node *node = arena_alloc(b->arena, sizeof(*node));
    node->type = type;
    node->line = line_of(event);
    node->text = "";
    return node;
}

static struct yaml_node *build(struct builder *b, yaml_event_t *event);

static struct yaml_node *build_scalar(struct builder *b, const yaml_event_t *event)
{
    struct yaml_node *node = new_node(b, YAML_SCALAR, event);
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        problems_add(b->problems, b->source, node->line, "a NUL byte in a value");
        return NULL;
    }
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_strndup(b->arena, text, event->data.scalar.length);
    return node;
}

static struct yaml_node *build_list(struct builder *b, const yaml_event_t *start)
{
    struct yaml_node *list = new_node(b, YAML_LIST, start);
    struct buf items = {0};
    struct yaml_node *item = list;
    yaml_event_t event;
    while (item != NULL && next_event(b, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            list->n = items.len / sizeof(item);
            list->items = arena_alloc(b->arena, items.len);
            if (items.len > 0)
                memcpy(list->items, items.data, items.len);
            buf_free(&items);
            return list;
        }
        item = build(b, &event);
        buf_append(&items, &item, sizeof(item));
    }
    buf_free(&items);
    return NULL;
}

static bool key_is_new(struct builder *b, const struct buf *pairs, const struct yaml_node *key)
{
    const struct yaml_pair *known = (const struct yaml_pair *)(const void *)pairs->data;
    size_t n = pairs->len / sizeof(*known);
    if (n == YAML_PAIRS_MAX) /* each key is compared with all before it */
        problems_add(b->problems, b->source, key->line, "more than %d keys in a map", YAML_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(known[i].key, key->text) == 0) {
            problems_add(b->problems, b->source, key->line, "'%s' is given twice, first in line %d",
                key->text, known[i].line);
            return false;
        }
    }
    return n < YAML_PAIRS_MAX;
}

static bool build_pair(struct builder *b, yaml_event_t *event, struct buf *pairs)
{
    struct yaml_node *key = build(b, event);
    yaml_event_t value_event;
    if (key == NULL)
        return false;
    if (key->type != YAML_SCALAR) {
        problems_add(b->problems, b->source, key->line, "a key must be a word");
        return false;
    }
    if (!key_is_new(b, pairs, key) || !next_event(b, &value_event))
        return false;
    struct yaml_pair pair = {key->text, key->line, build(b, &value_event)};
    buf_append(pairs, &pair, sizeof(pair));
    return pair.value != NULL;
}

static struct yaml_node *build_map(struct builder *b, const yaml_event_t *start)
{
    struct yaml_node *map = new_node(b, YAML_MAP, start);
    struct buf pairs = {0};
    bool good = true;
    yaml_event_t event;
    while (good && next_event(b, &event)) {
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            map->n = pairs.len / sizeof(struct yaml_pair);
            map->pairs = arena_alloc(b->arena, pairs.len);
            if (pairs.len > 0)
                memcpy(map->pairs, pairs.data, pairs.len);
            buf_free(&pairs);
            return map;
        }
        good = build_pair(b, &event, &pairs);
    }
    buf_free(&pairs);
    return NULL;
}

static struct yaml_node *build_container(struct builder *b, const yaml_event_t *event)
{
    if (b->depth == YAML_DEPTH_MAX) {
        problems_add(b->problems, b->source, line_of(event), "nested too deeply");
        return NULL;
    }
    b->depth++;
    struct yaml_node *node =
        event->type == YAML_SEQUENCE_START_EVENT ? build_list(b, event) : build_map(b, event);
    b->depth--;
    return node;
}

/* The node that begins with EVENT, which it deletes. Recursion ends at YAML_DEPTH_MAX. */
static struct yaml_node *build(struct builder *b, yaml_event_t *event)
{
    struct yaml_node *node = NULL;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        if (is_plain(b, event, event->data.scalar.anchor, event->data.scalar.tag))
            node = build_scalar(b, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (is_plain(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag))
            node = build_container(b, event);
        break;
    case YAML_MAPPING_START_EVENT:
        if (is_plain(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag))
            node = build_container(b, event);
        break;
    default:
        problems_add(b->problems, b->source, line_of(event), "aliases are not supported");
    }
    yaml_event_delete(event);
    return node;
}

/* Passes over the stream's and the document's start; false at a problem or at an empty stream. */
static bool skip_to_content(struct builder *b, yaml_event_t *event, bool *empty)
{
    *empty = false;
    while (next_event(b, event)) {
        if (event->type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(event);
            *empty = true;
            return false;
        }
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT)
            return true;
        yaml_event_delete(event);
    }
    return false;
}

static bool ends_here(struct builder *b)
{
    yaml_event_t event;
    while (next_event(b, &event)) {
        bool end = event.type == YAML_STREAM_END_EVENT;
        bool further = event.type == YAML_DOCUMENT_START_EVENT;
        if (further)
            problems_add(b->problems, b->source, line_of(&event), "a second document");
        yaml_event_delete(&event);
        if (end || further)
            return end;
    }
    return false;
}

struct yaml_node *yaml_read_text(
    const char *source, const char *text, size_t len, struct arena *arena, struct problems *problems)
{
    struct builder b = {.source = source, .text = text, .arena = arena, .problems = problems};
    struct yaml_node *root = NULL;
    yaml_event_t event;
    bool empty;
    if (len > YAML_BYTES_MAX) {
        problems_add(problems, source, 0, "larger than %d bytes", YAML_BYTES_MAX);
        return NULL;
    }
    if (yaml_parser_initialize(&b.parser) != 1)
        abort();
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
    if (skip_to_content(&b, &event, &empty)) {
        root = build(&b, &event);
        if (root != NULL && !ends_here(&b))
            root = NULL;
    } else if (empty) {
        root = arena_alloc(arena, sizeof(*root));
        *root = (struct yaml_node){.type = YAML_MAP, .line = 1, .text = ""};
    }
    yaml_parser_delete(&b.parser);
    return root;
}

struct yaml_node *yaml_read_file(const char *path, struct arena *arena, struct problems *problems)
{
    struct buf text = {0};
    struct yaml_node *root = NULL;
    if (file_read(path, YAML_BYTES_MAX, &text))
        root = yaml_read_text(path, text.data, text.len, arena, problems);
    else if (errno == EFBIG)
        problems_add(problems, path, 0, "larger than %d bytes", YAML_BYTES_MAX);
    else
        problems_add(problems, path, 0, "cannot be read: %s", strerror(errno));
    buf_free(&text);
    return root;
}

/* ---- asking ---- */

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map->type == YAML_MAP && i < map->n; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return map->pairs[i].value;
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->type == YAML_SCALAR && !node->quoted &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

double yaml_decimal(const char *text, const char **rest)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(text, digits);
    size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
    size_t len = whole + (fraction > 0 ? fraction + 1 : 0);
    char number[64];
    *rest = text + len;
    if (whole == 0 || len >= sizeof(number))
        return NAN;
    memcpy(number, text, len);
    number[len] = '\0';
    return strtod(number, NULL);
}
