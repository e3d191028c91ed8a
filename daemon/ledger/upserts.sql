-- How a record is stored: one statement a topic, in the order of enum topic.
--
-- What counts only grows: greatest, or OR. What the last record said, and whether it fell, is taken only from a record
-- that was not read before (:fresh), so that reading a topic again changes nothing. A last record of -1 was one of a
-- topic that is no more: the first of the new one may be smaller.

INSERT INTO learner_lessons VALUES (:portal, :learner, :lesson, :course, :watched, :covered, :minute,
  :watched, :covered, 0, :partition, :offset)
ON CONFLICT DO UPDATE SET
  watched_seconds = max(watched_seconds, excluded.watched_seconds),
  covered_seconds = max(covered_seconds, excluded.covered_seconds),
  last_minute_start = max(last_minute_start, excluded.last_minute_start),
  falls = falls + (:fresh AND kafka_offset >= 0 AND
    (excluded.last_watched < last_watched OR excluded.last_covered < last_covered)),
  course_id = iif(:fresh, excluded.course_id, course_id),
  last_watched = iif(:fresh, excluded.last_watched, last_watched),
  last_covered = iif(:fresh, excluded.last_covered, last_covered),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);

INSERT INTO learner_minutes VALUES (:portal, :learner, :minute, :lesson, :course, :mask, :mask, 0, :partition, :offset)
ON CONFLICT DO UPDATE SET
  seconds_mask = seconds_mask | excluded.seconds_mask,
  falls = falls + (:fresh AND kafka_offset >= 0 AND (excluded.last_mask & last_mask) <> last_mask),
  course_id = iif(:fresh, excluded.course_id, course_id),
  last_mask = iif(:fresh, excluded.last_mask, last_mask),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);

INSERT INTO lesson_minutes VALUES (:minute, :lesson, :course, :watched, :learners, :watched, :learners, 0,
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

INSERT INTO watermarks VALUES (:deployment, :published, :final, :published, :final, 0, :partition, :offset)
ON CONFLICT DO UPDATE SET
  published_through = max(published_through, excluded.published_through),
  final_through = max(final_through, excluded.final_through),
  falls = falls + (:fresh AND kafka_offset >= 0 AND
    (excluded.last_published < last_published OR excluded.last_final < last_final)),
  last_published = iif(:fresh, excluded.last_published, last_published),
  last_final = iif(:fresh, excluded.last_final, last_final),
  kafka_partition = iif(:fresh, excluded.kafka_partition, kafka_partition),
  kafka_offset = iif(:fresh, excluded.kafka_offset, kafka_offset);
