-- How a record is stored: one statement a topic, in the order of enum topic.
--
-- What counts only grows: greatest, or OR. What the last record said, and whether it fell, is taken only from a record
-- that was not read before (:fresh), so that reading a topic again changes nothing. A last record of -1 was one of a
-- topic that is no more: the first of the new one may be smaller.

INSERT INTO learner_lessons VALUES (:program, :portal, :learner, :lesson, :course, :epoch, :watched, :covered, :minute,
  :epoch, :watched, :covered, 0, :partition, :offset)
ON CONFLICT DO UPDATE SET
  epoch = max(epoch, excluded.epoch),
  watched_seconds = CASE
    WHEN excluded.epoch > epoch THEN excluded.watched_seconds
    WHEN excluded.epoch = epoch THEN max(watched_seconds, excluded.watched_seconds)
    ELSE watched_seconds END,
  covered_seconds = CASE
    WHEN excluded.epoch > epoch THEN excluded.covered_seconds
    WHEN excluded.epoch = epoch THEN max(covered_seconds, excluded.covered_seconds)
    ELSE covered_seconds END,
  last_minute_start = CASE
    WHEN excluded.epoch > epoch THEN excluded.last_minute_start
    WHEN excluded.epoch = epoch THEN max(last_minute_start, excluded.last_minute_start)
    ELSE last_minute_start END,
  falls = falls + (:fresh AND kafka_offset >= 0 AND
    ((excluded.last_epoch, excluded.last_watched) < (last_epoch, last_watched) OR
     (excluded.last_epoch, excluded.last_covered) < (last_epoch, last_covered))),
  course_id = iif(:fresh, excluded.course_id, course_id),
  last_epoch = iif(:fresh, excluded.last_epoch, last_epoch),
  last_watched = iif(:fresh, excluded.last_watched, last_watched),
  last_covered = iif(:fresh, excluded.last_covered, last_covered),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);

INSERT INTO learner_minutes VALUES (:program, :portal, :learner, :minute, :lesson, :course, :mask, :mask, 0,
  :partition, :offset)
ON CONFLICT DO UPDATE SET
  seconds_mask = seconds_mask | excluded.seconds_mask,
  falls = falls + (:fresh AND kafka_offset >= 0 AND (excluded.last_mask & last_mask) <> last_mask),
  course_id = iif(:fresh, excluded.course_id, course_id),
  last_mask = iif(:fresh, excluded.last_mask, last_mask),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);

INSERT INTO lesson_minutes VALUES (:program, :minute, :lesson, :course, :watched, :learners, :watched, :learners, 0,
  :partition, :offset)
ON CONFLICT DO UPDATE SET
  watched_seconds = max(watched_seconds, excluded.watched_seconds),
  learners = max(learners, excluded.learners),
  falls = falls + (:fresh AND kafka_offset >= 0 AND
    (excluded.last_watched < last_watched OR excluded.last_learners < last_learners)),
  course_id = iif(:fresh, excluded.course_id, course_id),
  last_watched = iif(:fresh, excluded.last_watched, last_watched),
  last_learners = iif(:fresh, excluded.last_learners, last_learners),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);

INSERT INTO watermarks VALUES (:program, :deployment, :redis_partition, :published, :final, :epoch, :taken,
  :published, :final, :epoch, :taken, 0, :partition, :offset)
ON CONFLICT DO UPDATE SET
  published_through = max(published_through, excluded.published_through),
  final_through = max(final_through, excluded.final_through),
  epoch = max(epoch, excluded.epoch),
  taken = CASE
    WHEN excluded.epoch > epoch THEN excluded.taken
    WHEN excluded.epoch = epoch THEN max(taken, excluded.taken)
    ELSE taken END,
  falls = falls + (:fresh AND kafka_offset >= 0 AND
    (excluded.last_published < last_published OR excluded.last_final < last_final OR
     (excluded.last_epoch, excluded.last_taken) < (last_epoch, last_taken))),
  last_published = iif(:fresh, excluded.last_published, last_published),
  last_final = iif(:fresh, excluded.last_final, last_final),
  last_epoch = iif(:fresh, excluded.last_epoch, last_epoch),
  last_taken = iif(:fresh, excluded.last_taken, last_taken),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);
