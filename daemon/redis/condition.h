/* What the monitor found about a Redis server when it looked at it last. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "redis/topology.h"

/* What came of looking at a server. */
enum check_result {
    CHECK_GOOD,
    CHECK_PASSING, /* not now: unreachable, loading, short of replicas */
    CHECK_REPLICA, /* not the primary, which may be at another address of the name */
    CHECK_WRONG    /* set up in a way that would lose what is accepted */
};

/* What a look found in `minuted:settings`. */
enum settings_look {
    SETTINGS_UNKNOWN, /* not asked for, or not answered */
    SETTINGS_OURS,    /* this daemon's values, now if not before */
    SETTINGS_OTHERS   /* those of another deployment, program, … */
};

struct redis_condition {
    char name[300];
    bool reached;      /* within the last 10 s */
    bool away;         /* not reached at the last look */
    char problem[256]; /* why it may not be used; "" when it may */
    char refusal[256]; /* why it would refuse heartbeats now, though it may be used; "" when it would not */
    char risk[256];    /* what a failover of it could lose, though it may be used; "" for nothing */
    enum settings_look settings; /* of the server that holds them */
    bool has_waitaof;
    bool begins;                    /* of the server that holds the settings: a program is being begun */
    bool clock_known;               /* TIME was read, at the last look or at one before; else the skew is 0 */
    int64_t clock_skew_ms;          /* the server's TIME less this machine's system clock */
    int64_t clock_lead_ms;          /* the server's TIME less this machine's CLOCK_BOOTTIME */
    int64_t clock_error_ms;         /* how far the skew may be off: half of the time that the question took */
    int64_t early_minute;           /* Unix seconds / 60; of the server that holds the settings; 0: none */
    char ended[TOPOLOGY_ENDED_MAX]; /* the same: as in struct topology */
    char closes[24];     /* the same: when the program closes, as a daemon has written it; "" nobody has */
    int64_t used_memory; /* bytes */
    int64_t max_memory;  /* bytes; 0: no limit */
};

/* Fills the condition's problem, as printf() does. */
void condition_complain(struct redis_condition *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
