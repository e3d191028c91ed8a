-- Whether a record that was read before is the one that the ledger holds: one statement a topic, in the order of enum
-- topic. No row: the ledger has no record of this key. Otherwise the partition and offset of the key's last record, and
-- whether that record said the same.

SELECT kafka_partition, kafka_offset, last_epoch = :epoch AND last_watched = :watched AND last_covered = :covered
FROM learner_lessons
WHERE program = :program AND portal = :portal AND learner_id = :learner AND lesson_id = :lesson;

SELECT kafka_partition, kafka_offset, last_mask = :mask
FROM learner_minutes
WHERE program = :program AND portal = :portal AND learner_id = :learner AND minute_start = :minute
  AND lesson_id = :lesson;

SELECT kafka_partition, kafka_offset, last_watched = :watched AND last_learners = :learners
FROM lesson_minutes WHERE program = :program AND minute_start = :minute AND lesson_id = :lesson;

SELECT kafka_partition, kafka_offset,
  last_published = :published AND last_final = :final AND last_epoch = :epoch AND last_taken = :taken
FROM watermarks WHERE program = :program AND deployment = :deployment AND redis_partition = :redis_partition;
