/*
 * A learner's masks and totals from the heartbeat to Kafka: apply, take, settle, retire. Two daemons, two minutes
 * (each a bucket of its own), one learner who watches two lessons.
 */
#define MINUTES 2
#define CALM_ROUNDS 4

/* A mask: bits 0 and 1 are lesson A's two seconds, bits 2 and 3 lesson B's. */
#define LESSON_A 3
#define SECONDS(mask) (((mask) | ((mask) >> 2)) & 3)
#define OF_ANY_LESSON(seconds) ((seconds) | ((seconds) << 2))
#define WITHIN(a, b) (((a) & ~(b)) == 0)

/* Redis */
byte w[MINUTES]; /* w:<bucket> */
byte dirty;      /* bit m: the learner is in d:<m>, and so m in due */
byte first;      /* the floor */

/* Kafka: the last committed record of each key */
byte k_mask[MINUTES];
byte k_total; /* lesson A's */

/* What the world knows */
byte ever[MINUTES];     /* credited, also where the bucket is gone since: t:<learner> is their sum */
byte accepted[MINUTES]; /* answered to the player */
byte final_through;     /* the greatest that a round has come to */

#define COUNT(mask) (((mask) & 1) + (((mask) >> 1) & 1))
#define TOTAL (COUNT(ever[0]) + COUNT(ever[1]))
#define IS_DIRTY(m) ((dirty >> (m)) & 1)
#define IN_KAFKA(m) (k_mask[m] == ever[m])
#define ALL_PUBLISHED (dirty == 0 && IN_KAFKA(0) && IN_KAFKA(1) && k_total == TOTAL)

#include "servers.pml"

/* ---- each may be broken, to see that it is missed ---- */

#ifdef SETTLE_BLINDLY
#define MAY_SETTLE(m) true
#else
#define MAY_SETTLE(m) (w[m] == taken[m])
#endif

#ifdef TOTALS_FIRST
#define COUNT_FIRST total = TOTAL
#define COUNT_NOW skip
#else
#define COUNT_FIRST skip
#define COUNT_NOW total = TOTAL
#endif

#ifdef RETIRE_BLINDLY
#define MAY_RETIRE(m) (first == m)
#else
#define MAY_RETIRE(m) (first == m && !IS_DIRTY(m))
#endif

#ifdef CREDIT_CONTESTED
#define CONTESTED(m) 0
#else
#define CONTESTED(m) OF_ANY_LESSON(SECONDS(w[m]))
#endif

#ifdef FORGET_LEFT
#define LEAVE(m) list = list & ~(1 << m)
#else
#define LEAVE(m) list = list & ~(1 << m); reach = LOWER(m, reach)
#endif

/* ---- what holds after every step ---- */

inline check()
{
    assert(WITHIN(accepted[0], ever[0]) && WITHIN(accepted[1], ever[1])); /* accepted is durable */
    assert(IS_DIRTY(0) || IN_KAFKA(0));                                   /* settled only when published */
    assert(IS_DIRTY(1) || IN_KAFKA(1));
    assert(dirty != 0 || k_total == TOTAL)
}

/* ---- heartbeats ---- */

/* A run that claims BITS: applied, then answered. That the answer is lost would promise less. */
inline claim(m, bits)
{
    if
    :: m >= first ->
        fresh = bits & ~w[m] & ~CONTESTED(m);
        assert((SECONDS(fresh) & SECONDS(ever[m])) == 0); /* a second is credited once */
        assert(fresh == 0 || m >= final_through);         /* and never after it was final */
        w[m] = w[m] | fresh;
        ever[m] = ever[m] | fresh;
        dirty = (fresh -> dirty | (1 << m) : dirty);
        accepted[m] = accepted[m] | (bits & w[m]);
        fresh = 0
    :: else
    fi;
    check()
}

active proctype worker()
{
    byte fresh;
end:
    do
    :: d_step { !calm -> claim(0, 1) }
    :: d_step { !calm -> claim(0, 2) }
    :: d_step { !calm -> claim(1, 1) }
#ifndef CALM
    :: d_step { !calm -> claim(0, 4) } /* the other lesson's, for the same second as the first */
#endif
#ifdef ANSWER_FIRST
    :: d_step { accepted[0] = accepted[0] | 1; check() } /* and then it is killed */
#endif
    od
}

/* ---- a daemon's publisher ---- */

mtype = {BEGIN, RETIRE, RAISE_FLOOR, CONNECT, LOOK, TAKE, COUNT_UP, CONFIRM, COMMIT, SETTLE};

inline forget()
{
    list = 0; todo = 0; taken[0] = 0; taken[1] = 0; total = 0; uncounted = 0
}

inline stand_by()
{
#ifndef RESEND
    forget();
#endif
    seen[0] = 0; seen[1] = 0; reach = 0; floor_seen = 0; bucket = 0; todo = 0;
#ifndef KEEP_PRODUCER
    connected = false;
#endif
    step = BEGIN
}

inline connect_or_look()
{
    if
    :: connected -> step = LOOK
    :: else -> step = CONNECT
    fi
}

/* Lets go of what is in Kafka by now, or not spoken for any more. */
inline note_seen()
{
    seen[0] = (reach < 1 || WITHIN(seen[0], k_mask[0]) -> 0 : seen[0]);
    seen[1] = (reach < 2 || WITHIN(seen[1], k_mask[1]) -> 0 : seen[1])
}

/* What a round knows now: all below REACH that was credited before its look is in Kafka. */
inline end_round()
{
    d_step {
        note_seen();
        assert(seen[0] == 0 && seen[1] == 0);
        final_through = GREATER(LOWER(floor_seen, reach), final_through);
        floor_seen = 0; reach = 0;
        step = BEGIN
    }
}

inline put(m)
{
    d_step {
        if
        :: taken[m] ->
            assert(WITHIN(k_mask[m], taken[m]));                  /* the last record is the greatest */
            assert(m >= final_through || taken[m] == k_mask[m]); /* and there is none after it was final */
            k_mask[m] = taken[m]
        :: else
        fi
    }
}

active [2] proctype publisher()
{
    byte d = _pid - 2;
    mtype step = BEGIN;
    bool held, connected;
    byte bucket;     /* being retired */
    byte list, todo; /* a round's minutes, and those still to be taken */
    byte taken[MINUTES], total, uncounted, m;
    byte reach;         /* how far the round has published */
    byte seen[MINUTES]; /* what was credited before its look, and is not in Kafka */
    byte floor_seen;

end:
    do
    /* killed, and started again */
    :: atomic { !calm && (step != BEGIN || held || connected) -> forget(); LOSE_LEASE }

    :: atomic { step == BEGIN && MAY_BEGIN && !IS_AT_REST ->
        KEEP_LEASE;
        COUNT_ROUND;
        if
        :: first < MINUTES -> bucket = first; step = RETIRE
        :: true -> connect_or_look()
        fi }
    :: atomic { step == BEGIN && !FREE_FOR(lease, d) && (held || connected) -> LOSE_LEASE }

    :: atomic { step == RETIRE ->
        if
        :: MAY_RETIRE(bucket) ->
            w[bucket] = 0;
            assert(IN_KAFKA(bucket));
#ifdef UNLINK_FIRST
            step = RAISE_FLOOR
#else
            first = bucket + 1; bucket = 0;
            connect_or_look()
#endif
        :: else -> bucket = 0; connect_or_look()
        fi }
#ifdef UNLINK_FIRST
    :: atomic { step == RAISE_FLOOR -> first = bucket + 1; bucket = 0; connect_or_look() }
#endif

    :: atomic { step == CONNECT ->
        producer = d; connected = true;
        step = (list -> CONFIRM : LOOK) }

    :: atomic { step == LOOK ->
        floor_seen = first; /* was read before; but it only rises, and more is the harder case */
        if
        :: !calm -> reach = 0
        :: !calm -> reach = 1
        :: true -> reach = 2
        fi;
        if
        :: list = dirty & ((1 << reach) - 1)
        :: !calm -> list = dirty /* minutes still running too */
        fi;
        seen[0] = ever[0]; seen[1] = ever[1];
        note_seen();
        todo = list;
        COUNT_FIRST;
        if
        :: list == 0 -> end_round()
        :: else -> step = TAKE
        fi }
    :: atomic { step == TAKE ->
        m = (todo & 2 -> 1 : 0);
        todo = todo & ~(1 << m);
        if
        :: taken[m] = w[m];
           uncounted = uncounted | (taken[m] & LESSON_A)
        :: !calm -> LEAVE(m)                                       /* the transaction is full */
        :: !calm -> list = list & ~(1 << m); reach = 0             /* Redis does not answer */
        fi;
        note_seen();
        m = 0;
        if
        :: todo == 0 && list == 0 -> end_round()
        :: list != 0 -> step = COUNT_UP
        :: todo != 0 /* both minutes' masks in one call */
        fi }
    /* totals come after the masks, in a call of their own */
    :: atomic { step == COUNT_UP ->
        if
        :: uncounted -> uncounted = 0; COUNT_NOW
        :: else
        fi;
        step = (todo -> TAKE : CONFIRM);
#ifdef SETTLE_EARLY
        if
        :: step == CONFIRM ->
            dirty = (list & 1 && MAY_SETTLE(0) -> dirty & ~1 : dirty);
            dirty = (list & 2 && MAY_SETTLE(1) -> dirty & ~2 : dirty);
            check()
        :: else
        fi
#endif
        }
    :: atomic { step == CONFIRM ->
        if
        :: CONFIRMED -> CONFIRM_LEASE; step = COMMIT
        :: else -> LOSE_LEASE
        fi }
    :: atomic { step == COMMIT ->
        if
        :: IS_PRODUCER ->
            put(0);
            put(1);
            assert(total == 0 || total >= k_total);
            k_total = (total -> total : k_total);
            total = 0;
            note_seen();
            if
            :: true -> step = SETTLE
            :: !calm -> d_step { stand_by() } /* the answer is lost */
            fi
        :: else -> BE_FENCED
        fi }
    :: atomic { step == SETTLE ->
        m = (list & 2 -> 1 : 0);
        list = list & ~(1 << m);
        if
        :: MAY_SETTLE(m) -> dirty = dirty & ~(1 << m); check()
        :: !MAY_SETTLE(m)
        :: !calm -> reach = 0 /* Redis does not answer */
        fi;
        taken[m] = 0; m = 0;
        note_seen();
        if
        :: list == 0 -> end_round()
        :: else
        fi }
    od
}
