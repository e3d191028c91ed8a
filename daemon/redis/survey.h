/*
 * Looking at all Redis servers: finds them, keeps a connection to each, and checks each over it. Blocking;
 * the monitor's thread alone.
 */
#pragma once

#include <stdint.h>

#include "redis/check.h"
#include "redis/condition.h"
#include "redis/topology.h"

struct survey;

/* What a look has found. */
struct survey_findings {
    struct topology *topology; /* a reference of the caller's; NULL when the servers could not be found */
    enum check_result result;  /* CHECK_GOOD when every server is; CHECK_WRONG when one is */
    char message[512];         /* what is wrong, naming the server; "" when nothing is */
    struct redis_condition servers[SERVERS_MAX]; /* those of the topology */
};

/* What CONTEXT points to is borrowed until survey_free(). */
struct survey *survey_new(const struct check_context *context);
void survey_free(struct survey *s);

/* Looks once, for as long as the servers take to answer or not to. */
void survey_look(struct survey *s, struct survey_findings *out);

/*
 * When the program closes, Unix seconds (SURVEY_NEVER: never), as the catalog says that this daemon read
 * last. The next looks write it into the deployment's settings. Any thread.
 */
#define SURVEY_NEVER INT64_MAX
void survey_set_closes(struct survey *s, int64_t closes_s);

/* How often a partition was found without what it had held. */
int64_t survey_history_losses(const struct survey *s);
