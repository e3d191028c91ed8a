-- What minuted-ledger keeps. Each table holds a topic's records by key: the greatest value that ever came (or the OR
-- of the masks), which is what counts, and beside it the last record's value, which an upsert reader would have.
-- `falls` counts records that were smaller than the one before: minuted publishes none.
-- kafka_partition and kafka_offset name the record that the last value came from.

CREATE TABLE IF NOT EXISTS learner_lessons (
  portal            TEXT NOT NULL,
  lesson_id         TEXT NOT NULL,
  learner_id        TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  watched_seconds   INTEGER NOT NULL,  -- all time
  covered_seconds   INTEGER NOT NULL,  -- distinct seconds of the video
  last_minute_start INTEGER NOT NULL,  -- Unix seconds
  last_watched      INTEGER NOT NULL,
  last_covered      INTEGER NOT NULL,
  falls             INTEGER NOT NULL DEFAULT 0,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (portal, lesson_id, learner_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS learner_minutes (
  minute_start      INTEGER NOT NULL,  -- Unix seconds
  portal            TEXT NOT NULL,
  lesson_id         TEXT NOT NULL,
  learner_id        TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  seconds_mask      INTEGER NOT NULL,  -- bit i: second i was watched
  last_mask         INTEGER NOT NULL,
  falls             INTEGER NOT NULL DEFAULT 0,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (portal, learner_id, minute_start, lesson_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lesson_minutes (
  minute_start      INTEGER NOT NULL,
  lesson_id         TEXT NOT NULL,
  course_id         TEXT NOT NULL,
  watched_seconds   INTEGER NOT NULL,  -- over all learners
  learners          INTEGER NOT NULL,
  last_watched      INTEGER NOT NULL,
  last_learners     INTEGER NOT NULL,
  falls             INTEGER NOT NULL DEFAULT 0,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL,
  PRIMARY KEY (minute_start, lesson_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS watermarks (
  deployment        TEXT NOT NULL PRIMARY KEY,
  published_through INTEGER NOT NULL,
  final_through     INTEGER NOT NULL,
  falls             INTEGER NOT NULL DEFAULT 0,
  kafka_partition   INTEGER NOT NULL,
  kafka_offset      INTEGER NOT NULL
) WITHOUT ROWID;

-- The offset to go on from, written in the same transaction as the records before it.
CREATE TABLE IF NOT EXISTS offsets (
  topic             TEXT NOT NULL,
  kafka_partition   INTEGER NOT NULL,
  next_offset       INTEGER NOT NULL,
  PRIMARY KEY (topic, kafka_partition)
) WITHOUT ROWID;
