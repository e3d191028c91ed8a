-- What minuted-ledger keeps. Each table holds a topic's records by key: the greatest value that ever came (or the OR
-- of the masks), which is what counts, and beside it the last record's value, which a reader that only upserts has.
-- `falls` counts records that were smaller than the one before: minuted publishes none.
-- kafka_partition and kafka_offset name the record that the last value came from; -1 when its topic was made anew.

-- minuted.learner-lessons: the totals that certification wants. The greatest is the one with the greatest epoch, and of
-- these with the most seconds: a Redis that lost its data begins a new epoch, whose totals replace those before.
CREATE TABLE learner_lessons (
  program           TEXT NOT NULL,
  portal            TEXT NOT NULL,
  learner_id        TEXT NOT NULL,
  lesson_id         TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  epoch             INTEGER NOT NULL,  -- Unix milliseconds
  watched_seconds   INTEGER NOT NULL,  -- all time
  covered_seconds   INTEGER NOT NULL,  -- distinct seconds of the video
  last_minute_start INTEGER NOT NULL,  -- Unix seconds
  last_epoch        INTEGER NOT NULL,
  last_watched      INTEGER NOT NULL,
  last_covered      INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (program, portal, learner_id, lesson_id)
) WITHOUT ROWID;

-- minuted.learner-minutes: the evidence, 60 bits a minute. Kafka keeps it for 400 days, this file for ever.
CREATE TABLE learner_minutes (
  program           TEXT NOT NULL,
  portal            TEXT NOT NULL,
  learner_id        TEXT NOT NULL,
  minute_start      INTEGER NOT NULL,  -- Unix seconds
  lesson_id         TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  seconds_mask      INTEGER NOT NULL,  -- bit i: second i was watched
  last_mask         INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (program, portal, learner_id, minute_start, lesson_id)
) WITHOUT ROWID;

-- minuted.lesson-minutes: a lesson's minute over all learners.
CREATE TABLE lesson_minutes (
  program           TEXT NOT NULL,
  minute_start      INTEGER NOT NULL,
  lesson_id         TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  watched_seconds   INTEGER NOT NULL,
  learners          INTEGER NOT NULL,
  last_watched      INTEGER NOT NULL,
  last_learners     INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (program, minute_start, lesson_id)
) WITHOUT ROWID;

-- minuted.watermarks: of a deployment (redis_partition is -1), nothing before final_through can change any more; of a
-- partition of Redis, the state that was published last. What one of the two has is 0 in the other.
CREATE TABLE watermarks (
  program           TEXT NOT NULL,
  deployment        TEXT NOT NULL,
  redis_partition   INTEGER NOT NULL,
  published_through INTEGER NOT NULL,  -- Unix seconds
  final_through     INTEGER NOT NULL,
  epoch             INTEGER NOT NULL,  -- Unix milliseconds
  taken             INTEGER NOT NULL,  -- in the epoch
  last_published    INTEGER NOT NULL,
  last_final        INTEGER NOT NULL,
  last_epoch        INTEGER NOT NULL,
  last_taken        INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (program, deployment, redis_partition)
) WITHOUT ROWID;

-- How far each partition was read, written in the same transaction as the records before it.
CREATE TABLE offsets (
  topic             TEXT NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  next_offset       INTEGER NOT NULL,  -- to go on from
  missed            INTEGER NOT NULL,  -- offsets that Kafka had deleted before they were read
  checked           INTEGER NOT NULL DEFAULT 0,  -- what was read before this offset is known to be this topic's
  tombstone         INTEGER NOT NULL DEFAULT -1, -- the last offset at which a record without a value was read
  PRIMARY KEY (topic, kafka_partition)
) WITHOUT ROWID;

-- Where the topics were read from, in one row.
CREATE TABLE kafka (
  topic_prefix      TEXT NOT NULL,  -- the topics' names begin with it
  cluster_id        TEXT NOT NULL   -- empty while no cluster told its id
);

-- The programs that there is anything of, found without reading every row: after each one the next is looked up.
CREATE VIEW programs AS
WITH RECURSIVE
  of_totals(program) AS (
    SELECT min(program) FROM learner_lessons
    UNION ALL
    SELECT (SELECT min(program) FROM learner_lessons WHERE program > found.program)
    FROM of_totals AS found WHERE found.program IS NOT NULL),
  of_minutes(program) AS (
    SELECT min(program) FROM learner_minutes
    UNION ALL
    SELECT (SELECT min(program) FROM learner_minutes WHERE program > found.program)
    FROM of_minutes AS found WHERE found.program IS NOT NULL)
SELECT program FROM of_totals WHERE program IS NOT NULL
UNION
SELECT program FROM of_minutes WHERE program IS NOT NULL;
