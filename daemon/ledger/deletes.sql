-- What a tombstone, a record without a value, deletes: one statement a topic, in the order of enum topic. The evidence too:
-- its topic is not compacted, but a tombstone is how consumers that keep it are told that somebody is to be forgotten.
-- Records of the key that stand behind the tombstone begin anew.

DELETE FROM learner_lessons
WHERE program = :program AND portal = :portal AND learner_id = :learner AND lesson_id = :lesson;

DELETE FROM learner_minutes
WHERE program = :program AND portal = :portal AND learner_id = :learner AND minute_start = :minute
  AND lesson_id = :lesson;

DELETE FROM lesson_minutes WHERE program = :program AND minute_start = :minute AND lesson_id = :lesson;

DELETE FROM watermarks WHERE program = :program AND deployment = :deployment AND redis_partition = :redis_partition;
