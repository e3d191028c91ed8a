/*
 * What the models share: the lease in Redis, the transactional producer at the broker, how a daemon comes to either,
 * and the weather. A server carries out a call in one step, and what it has answered is durable; between any two
 * steps of a daemon everything else may happen, for any length of time.
 *
 * A model defines stand_by(), ALL_PUBLISHED and CALM_ROUNDS; its publisher has the variables d, held and step.
 */
#define NOBODY 2
#define FREE_FOR(who, d) (who == NOBODY || who == d)
#define LOWER(a, b) ((a) < (b) -> (a) : (b))
#define GREATER(a, b) ((a) > (b) -> (a) : (b))

byte lease = NOBODY;    /* minuted:publisher */
byte producer = NOBODY; /* whose init_transactions came last: all earlier producers' epochs are fenced */

#ifdef NO_FENCING
#define IS_PRODUCER true
#else
#define IS_PRODUCER (producer == d)
#endif

#ifdef NO_CONFIRM
#define CONFIRMED true
#else
#define CONFIRMED FREE_FOR(lease, d)
#endif

/*
 * What is held is believed to be, however long ago it was asked for: the models rely on no clock. A daemon asks once
 * more before it commits.
 */
#define MAY_BEGIN (FREE_FOR(lease, d) || (held && !calm))
#define KEEP_LEASE lease = (FREE_FOR(lease, d) -> d : lease); held = true
#define CONFIRM_LEASE lease = (FREE_FOR(lease, d) -> d : lease)
#define LOSE_LEASE d_step { held = false; stand_by() }
#define BE_FENCED d_step { lease = (lease == d -> NOBODY : lease); held = false; stand_by() }

/*
 * With CALM: at some moment, whichever, the storm is over. From then on nobody dies, nothing fails and no run arrives;
 * all must be published within CALM_ROUNDS rounds, and nothing may get stuck before.
 */
#ifdef CALM
bool calm;
byte rounds; /* begun since */
#define COUNT_ROUND                                                                                                    \
    if                                                                                                                 \
    :: calm -> assert(rounds < CALM_ROUNDS); rounds++                                                                  \
    :: else                                                                                                            \
    fi
#define IS_AT_REST (calm && ALL_PUBLISHED)
#else
#define calm false
#define COUNT_ROUND skip
#define IS_AT_REST false
#endif

/* The lease may end at any moment. */
active proctype weather()
{
    do
    :: d_step { !calm && lease != NOBODY -> lease = NOBODY }
#ifdef CALM
    :: d_step { !calm -> calm = true; lease = NOBODY }
    :: timeout -> assert(ALL_PUBLISHED); break
#endif
    od
}
