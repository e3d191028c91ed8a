-- What minuted-ledger keeps. Each table holds a topic's records by key: the greatest value that ever came (or the OR
-- of the masks), which is what counts, and beside it the last record's value, which a reader that only upserts has.
-- `falls` counts records that were smaller than the one before: minuted publishes none.
-- kafka_partition and kafka_offset name the record that the last value came from; -1 when its topic was made anew.

-- minuted.learner-lessons: the totals that certification wants.
CREATE TABLE learner_lessons (
  portal            TEXT NOT NULL,
  learner_id        TEXT NOT NULL,
  lesson_id         TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  watched_seconds   INTEGER NOT NULL,  -- all time
  covered_seconds   INTEGER NOT NULL,  -- distinct seconds of the video
  last_minute_start INTEGER NOT NULL,  -- Unix seconds
  last_watched      INTEGER NOT NULL,
  last_covered      INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (portal, learner_id, lesson_id)
) WITHOUT ROWID;

-- minuted.learner-minutes: the evidence, 60 bits a minute. Kafka keeps it for 90 days, this file for ever.
CREATE TABLE learner_minutes (
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
  PRIMARY KEY (portal, learner_id, minute_start, lesson_id)
) WITHOUT ROWID;

-- minuted.lesson-minutes: a lesson's minute over all learners.
CREATE TABLE lesson_minutes (
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
  PRIMARY KEY (minute_start, lesson_id)
) WITHOUT ROWID;

-- minuted.watermarks: nothing before final_through can change any more.
CREATE TABLE watermarks (
  deployment        TEXT NOT NULL PRIMARY KEY,
  published_through INTEGER NOT NULL,
  final_through     INTEGER NOT NULL,
  last_published    INTEGER NOT NULL,
  last_final        INTEGER NOT NULL,
  falls             INTEGER NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL
) WITHOUT ROWID;

-- How far each partition was read, written in the same transaction as the records before it.
CREATE TABLE offsets (
  topic             TEXT NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  next_offset       INTEGER NOT NULL,  -- to go on from
  missed            INTEGER NOT NULL,  -- offsets that Kafka had deleted before they were read
  checked           INTEGER NOT NULL DEFAULT 0,  -- what was read before this offset is known to be this topic's
  PRIMARY KEY (topic, kafka_partition)
) WITHOUT ROWID;

-- The cluster that the topics were read from, in one row; none while no cluster told its id.
CREATE TABLE kafka (
  cluster_id        TEXT NOT NULL
);
