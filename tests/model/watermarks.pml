/*
 * The watermarks from a round to Kafka. Two daemons; how the minutes come to be published and the floor to rise is the
 * other models' business.
 */
#define MINUTES 3
#define CALM_ROUNDS 4

/* What is so: both only rise, since published is what a look had found accepted. */
byte published; /* minutes published */
byte floor_;    /* first minute that can be claimed */

/* Redis: minuted:watermarks */
byte stored_published, stored_final;

/* Kafka: the last committed record */
byte k_published, k_final;

#define ALL_PUBLISHED (k_published == published && k_final == LOWER(floor_, published))

#include "servers.pml"

active proctype world()
{
end:
    do
    :: d_step { !calm && published < MINUTES -> published++ }
    :: d_step { !calm && floor_ < MINUTES -> floor_++ }
    od
}

mtype = {BEGIN, CONNECT, LOOK, RAISE, CONFIRM, COMMIT};

inline stand_by()
{
    reach = 0; final = 0;
    connected = false;
    step = BEGIN
}

inline raise()
{
    stored_published = GREATER(reach, stored_published);
    stored_final = GREATER(final, stored_final);
    reach = stored_published;
    final = stored_final
}

active [2] proctype publisher()
{
    byte d = _pid - 2;
    mtype step = BEGIN;
    bool held, connected;
    byte reach, final;

end:
    do
    :: atomic { !calm && (step != BEGIN || held || connected) -> LOSE_LEASE }

    :: atomic { step == BEGIN && MAY_BEGIN && !IS_AT_REST ->
        KEEP_LEASE;
        COUNT_ROUND;
        final = floor_;
        step = (connected -> LOOK : CONNECT) }
    :: atomic { step == BEGIN && !FREE_FOR(lease, d) && (held || connected) -> LOSE_LEASE }

    :: atomic { step == CONNECT -> producer = d; connected = true; step = LOOK }
    :: atomic { step == LOOK ->
        if
        :: reach = published
        :: !calm && published > 0 -> reach = published - 1 /* something was left */
        :: !calm -> reach = 0                              /* a server did not answer */
        fi;
        final = LOWER(final, reach);
        step = RAISE }
    :: atomic { step == RAISE ->
#ifndef UNRAISED
        raise();
#endif
        step = CONFIRM }
    :: atomic { step == CONFIRM ->
        if
        :: CONFIRMED -> CONFIRM_LEASE; step = COMMIT
        :: else -> LOSE_LEASE
        fi }
    :: atomic { step == COMMIT ->
        if
        :: IS_PRODUCER ->
            assert(reach >= k_published && final >= k_final);
            assert(final <= reach && reach <= published && final <= floor_);
            k_published = reach; k_final = final;
            reach = 0; final = 0;
            if
            :: true -> step = BEGIN
            :: !calm -> stand_by() /* the answer is lost */
            fi
        :: else -> BE_FENCED
        fi }
    od
}
