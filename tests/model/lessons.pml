/*
 * A lesson's minutes over all learners: summed up from two partitions and published whenever one has grown, while
 * buckets are retired. Two daemons, two minutes (each a bucket of its own); a bucket's sums go with the bucket after
 * it. Partition 1 has never been used. The masks are left out: whether a bucket still has a dirty one, and so stays,
 * is anybody's guess.
 */
#define MINUTES 2
#define CALM_ROUNDS 4
#define UNUSED 3 /* a partition without a floor */

/* Redis */
typedef partition {
    byte l[MINUTES];    /* l:<minute>, seconds */
    byte ever[MINUTES]; /* credited, also where l is gone since */
    byte ld;            /* bit m: the minute has grown */
}
partition part[2];
byte first[2] = {0, UNUSED}; /* the floors */

/* Kafka: the last committed record of each key */
byte k_sum[MINUTES];

/* What the world knows */
byte final_through; /* the greatest that a round has come to */

#define EVER(m) (part[0].ever[m] + part[1].ever[m])
#define GROWN(m) (((part[0].ld | part[1].ld) >> (m)) & 1)
#define OLDEST(ld) ((ld) & 1 -> 0 : ((ld) & 2 -> 1 : MINUTES))
#define ALL_PUBLISHED (!GROWN(0) && !GROWN(1) && k_sum[0] == EVER(0) && k_sum[1] == EVER(1))

#include "servers.pml"

/* ---- each may be broken, to see that it is missed ---- */

#ifdef SETTLE_BLINDLY
#define MAY_SETTLE(p) true
#else
#define MAY_SETTLE(p) (part[p].l[minute] <= sums[p])
#endif

#ifdef RETIRE_GROWN
#define MAY_RETIRE true
#else
#define MAY_RETIRE (oldest >= bucket)
#endif

#ifdef RETIRE_OWN_SUMS
#define GOES_WITH(m) m
#else
#define GOES_WITH(m) (m + 1)
#endif

#ifdef RETIRE_PAST_UNUSED
#define MUST_ADOPT false
#else
#define MUST_ADOPT (first[1] == UNUSED)
#endif

#if defined(READ_BLINDLY)
#define STILL_GROWN(p) true
#elif defined(JUDGE_BY_FLOOR)
#define IS_PAST(p) (first[p] != UNUSED && first[p] > GOES_WITH(minute))
#define STILL_GROWN(p) (!IS_PAST(0) && !IS_PAST(1))
#else
#define STILL_GROWN(p) ((part[p].ld >> minute) & 1)
#endif

#ifdef FINAL_AHEAD
#define FINAL floor_seen
#else
#define FINAL LOWER(floor_seen, reach)
#endif

/* ---- heartbeats ---- */

inline check()
{
    assert(GROWN(0) || k_sum[0] == EVER(0)); /* settled only when published */
    assert(GROWN(1) || k_sum[1] == EVER(1))
}

inline claim(p, m)
{
    if
    :: (first[p] <= m || first[p] == UNUSED) && part[p].ever[m] == 0 ->
        assert(m >= final_through); /* no change after it was final */
        first[p] = first[p] % UNUSED;
        part[p].ever[m] = 1;
        part[p].l[m] = 1;
        part[p].ld = part[p].ld | (1 << m);
        check()
    :: else
    fi
}

active proctype worker()
{
end:
    do
    :: d_step { !calm -> claim(0, 0) }
    :: d_step { !calm -> claim(1, 0) }
    /* the first heartbeat comes late: its daemon's horizon is the floor */
    :: d_step { !calm && first[1] == UNUSED -> first[1] = 1 }
    :: d_step { !calm && first[1] == UNUSED -> first[1] = MINUTES }
#ifndef CALM
    :: d_step { !calm -> claim(0, 1) }
#endif
    od
}

/* ---- a daemon's publisher ---- */

mtype = {BEGIN, FLOORS, FLOORS_1, ADOPT, RETIRE, RETIRE_1, CONNECT, LIST, LIST_1, READ, READ_1, CHECK, CHECK_1, CONFIRM, COMMIT,
    SETTLE, SETTLE_1};

inline forget()
{
    bucket = 0; oldest = 0; list = 0; minute = 0; sums[0] = 0; sums[1] = 0;
    seen[0] = 0; seen[1] = 0; reach = 0; floor_seen = 0
}

inline stand_by()
{
    forget();
    connected = false;
    step = BEGIN
}

inline connect_or_list()
{
    bucket = 0; oldest = 0;
    if
    :: connected -> step = LIST
    :: else -> step = CONNECT
    fi
}

/* Lets go of what is in Kafka by now, or not spoken for any more. */
inline note_seen()
{
    seen[0] = (reach < 1 || seen[0] <= k_sum[0] -> 0 : seen[0]);
    seen[1] = (reach < 2 || seen[1] <= k_sum[1] -> 0 : seen[1])
}

/* What a round knows now: all below REACH that was credited before its look is in Kafka. */
inline end_round()
{
    d_step {
        note_seen();
        assert(seen[0] == 0 && seen[1] == 0);
        final_through = GREATER(FINAL, final_through);
        forget();
        step = BEGIN
    }
}

inline retire(p)
{
    if
    :: first[p] == bucket || first[p] == UNUSED ->
        if
        :: GOES_WITH(0) == bucket && part[p].l[0] > 0 -> part[p].l[0] = 0; assert(k_sum[0] == EVER(0))
        :: else
        fi;
        first[p] = bucket + 1
    :: !calm && first[p] == bucket /* something in it is dirty */
    :: else
    fi
}

inline settle(p)
{
    if
    :: MAY_SETTLE(p) -> part[p].ld = part[p].ld & ~(1 << minute); check()
    :: else
    fi;
    sums[p] = 0
}

active [2] proctype publisher()
{
    byte d = _pid - 2;
    mtype step = BEGIN;
    bool held, connected;
    byte bucket, oldest; /* retiring: the lowest floor, the oldest minute that has grown */
    byte list, minute, sums[2];
    byte reach;         /* how far the round has published */
    byte seen[MINUTES]; /* what was credited before its look, and is not in Kafka */
    byte floor_seen;

end:
    do
    /* killed, and started again */
    :: atomic { !calm && (step != BEGIN || held || connected) -> LOSE_LEASE }

    :: atomic { step == BEGIN && MAY_BEGIN && !IS_AT_REST ->
        KEEP_LEASE;
        COUNT_ROUND;
        if
        :: LOWER(first[0], first[1]) < MINUTES -> step = FLOORS
        :: true -> connect_or_list()
        fi }
    :: atomic { step == BEGIN && !FREE_FOR(lease, d) && (held || connected) -> LOSE_LEASE }

    /* one bucket in every partition before the next */
    :: atomic { step == FLOORS ->
        bucket = first[0];
        oldest = OLDEST(part[0].ld);
        step = FLOORS_1 }
    :: atomic { step == FLOORS_1 ->
        bucket = LOWER(bucket, first[1]);
        oldest = LOWER(oldest, OLDEST(part[1].ld));
        if
        :: bucket < MINUTES && MAY_RETIRE -> step = (MUST_ADOPT -> ADOPT : RETIRE)
        :: else -> connect_or_list()
        fi }
    :: atomic { step == ADOPT -> first[1] = (first[1] == UNUSED -> bucket : first[1]); connect_or_list() }
    :: atomic { step == RETIRE -> oldest = 0; retire(0); step = RETIRE_1 }
    :: atomic { step == RETIRE_1 -> retire(1); connect_or_list() }

    :: atomic { step == CONNECT -> producer = d; connected = true; step = LIST }

    :: atomic { step == LIST ->
        floor_seen = LOWER(first[0] % UNUSED, first[1] % UNUSED); /* was read before; but it only rises */
        reach = MINUTES;
        seen[0] = EVER(0); seen[1] = EVER(1);
        note_seen();
        list = part[0].ld;
        step = LIST_1 }
    /* one minute a transaction: the other one is left */
    :: atomic { step == LIST_1 ->
        list = list | part[1].ld;
        if
        :: list == 0 -> end_round()
        :: list & 1 -> minute = 0; reach = LOWER(reach, OLDEST(list & 2)); step = READ
        :: list & 2 -> minute = 1; reach = LOWER(reach, OLDEST(list & 1)); step = READ
        fi;
        list = 0;
        note_seen() }
    :: atomic { step == READ ->
        if
        :: true -> sums[0] = part[0].l[minute]; step = READ_1
        :: !calm -> reach = 0; end_round() /* Redis does not answer */
        fi }
    :: atomic { step == READ_1 ->
        sums[1] = part[1].l[minute];
        step = (sums[0] + sums[1] > 0 -> CHECK : SETTLE) }
    /* as long as it has grown anywhere, nobody has given back a part of it */
    :: atomic { step == CHECK -> step = (STILL_GROWN(0) -> CONFIRM : CHECK_1) }
    :: atomic { step == CHECK_1 ->
        if
        :: STILL_GROWN(1) -> step = CONFIRM
        :: else -> sums[0] = 0; sums[1] = 0; step = SETTLE
        fi }
    :: atomic { step == CONFIRM ->
        if
        :: CONFIRMED -> CONFIRM_LEASE; step = COMMIT
        :: else -> LOSE_LEASE
        fi }
    :: atomic { step == COMMIT ->
        if
        :: IS_PRODUCER ->
            assert(sums[0] + sums[1] >= k_sum[minute]); /* a published sum never falls */
            assert(minute >= final_through || sums[0] + sums[1] == k_sum[minute]);
            k_sum[minute] = sums[0] + sums[1];
            note_seen();
            if
            :: true -> step = SETTLE
            :: !calm -> d_step { stand_by() } /* the answer is lost */
            fi
        :: else -> BE_FENCED
        fi }
    :: atomic { step == SETTLE ->
        if
        :: true -> settle(0); step = SETTLE_1
        :: !calm -> reach = 0; end_round() /* Redis does not answer */
        fi }
    :: atomic { step == SETTLE_1 -> settle(1); end_round() }
    od
}
