"""The last check of every end-to-end test: all that keep count say the same, to the second."""

from .kafka_broker import TOPICS
from .records import LEARNER_LESSONS, LEARNER_MINUTES, WATERMARKS, Merged, bits, learner_of, rank, read_topics
from .redis_truth import Truth, is_settled
from .service import PATIENCE_S, wait_until


def wait_settled(redis_client, seconds=PATIENCE_S):
    wait_until(lambda: is_settled(redis_client), "Redis owes nothing to Kafka", seconds)


def check_redis(model, truth):
    assert truth.minutes == model.minutes()
    assert truth.totals == model.totals()
    assert dict(truth.lesson_minutes) == model.lesson_minutes()


def check_kafka(model, merged):
    assert merged.minutes() == model.minutes()
    assert merged.totals_from_masks() == model.totals()
    assert dict(merged.totals) == model.totals()
    assert dict(merged.covered) == model.covered()
    assert merged.lesson_minutes == model.lesson_minutes()


def check_last_records(model, merged):
    """A consumer that only upserts is right too: the last record of a key is the greatest."""
    totals = {(learner_of(r.value), r.value["lesson_id"]): r.value["watched_seconds"]
              for r in merged.of_last(LEARNER_LESSONS)}
    assert totals == model.totals()
    minutes = {(learner_of(r.value), r.value["lesson_id"], r.value["minute_start"]): bits(r.value["seconds_mask"])
               for r in merged.of_last(LEARNER_MINUTES)}
    assert minutes == model.minutes()
    newest = {}
    for learner, lesson, minute in model.minutes():
        newest[learner, lesson] = max(minute, newest.get((learner, lesson), 0))
    last = {(learner_of(r.value), r.value["lesson_id"]): r.value["last_minute_start"]
            for r in merged.of_last(LEARNER_LESSONS)}
    assert last == newest
    check_last_in_time(merged)


def is_of_partition(record):
    """Such a record is dated by its epoch, but not later than the daemon's clock: here always by the clocks, which tests set."""
    return record.topic == WATERMARKS and "partition" in record.value


def check_last_in_time(merged):
    """So is one that orders a key's records by their time, and by (epoch, seconds)."""
    before = {}
    for record in merged.records:
        if is_of_partition(record):
            continue
        assert record.timestamp_ms >= before.get((record.topic, record.key), 0), record
        before[record.topic, record.key] = record.timestamp_ms
    for record in merged.of_last(LEARNER_LESSONS):
        assert rank(record.value) == rank(merged.greatest[learner_of(record.value), record.value["lesson_id"]])
        stretches = record.value.get("covered", [])
        assert sum(to // 1000 - start // 1000 for start, to in zip(stretches[::2], stretches[1::2], strict=True)) == \
            record.value["covered_seconds"]


def check_no_second_twice(minutes):
    """No second of a learner belongs to two lessons."""
    taken = {}
    for (learner, lesson, minute), seconds in minutes.items():
        for second in seconds:
            other = taken.setdefault((learner, minute + second), lesson)
            assert other == lesson, f"{learner} watched {other} and {lesson} in second {minute + second}"


def check_progress(model, players):
    """What each learner is shown is what the model says."""
    totals, covered = model.totals(), model.covered()
    for player in players:
        name = f"{player.portal}/{player.learner}"
        progress = player.progress()
        mine = {lesson: n for (learner, lesson), n in totals.items() if learner == name}
        shown = {x["lesson_id"]: x for x in progress["lessons"] if x["watched_seconds"]}
        assert {lesson: x["watched_seconds"] for lesson, x in shown.items()} == mine
        assert progress["total"]["watched_seconds"] == sum(mine.values())
        assert {lesson: x["covered_seconds"] for lesson, x in shown.items()} == {
            lesson: covered[name, lesson] for lesson in mine}


def check_published(model, redis_client, brokers, seconds=PATIENCE_S, topics=TOPICS):
    """Waits until all is published, then compares Redis and Kafka with the model. Returns the merged records."""
    wait_settled(redis_client, seconds)
    truth = Truth(redis_client)
    check_redis(model, truth)
    check_no_second_twice(truth.minutes)
    merged = Merged(read_topics(brokers, topics))
    check_kafka(model, merged)
    check_last_records(model, merged)
    return merged
