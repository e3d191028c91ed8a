"""A Redis that loses what it held, as a shard, as a backup of an awkward moment, or once more after a rebuild: the daemon that
publishes sees it, `minuted --rebuild` restores it, and Redis and Kafka have every second, once."""

import subprocess

import pytest
from confluent_kafka import Producer

from harness.agreement import check_last_in_time, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import MINUTED, run_minuted
from harness.model import Model
from harness.player import Player, accepted, run
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, Merged, end_offsets, read_topics
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, environment, wait_until

HOUR_MS = 60 * MINUTE_MS
GRACE_PASSED_MS = 5 * MINUTE_MS
PARTITIONS = 2
LEARNERS = [f"teacher-{i}" for i in range(12)]  # of both partitions
CHANGES = {"heartbeats": {"horizon": "2h"}, "redis": {"partitions": PARTITIONS}}


@pytest.fixture
def minuted(kafka, new_minuted, redis):
    return new_minuted(redis, kafka.brokers, changes=CHANGES).start(NOW_MS)


@pytest.fixture
def model():
    return Model()


def open_all(minuted, lesson="open-1"):
    players = [Player(minuted, learner) for learner in LEARNERS]
    return [(player, player.open(lesson)) for player in players]


def send_all(model, sessions, sent):
    for player, session in sessions:
        credited = model.claim(session.name, session.lesson, session.anchor_ms, sent)
        assert player.send(session, sent) == [accepted(*credited)]


def watch_together(minuted, model, seconds=20):
    """All learners watch the same lesson at the same time, so that its sums are of both partitions."""
    sessions = open_all(minuted)
    minuted.advance((seconds + 1) * 1000)
    send_all(model, sessions, run(0, seconds * 1000))


def publish(minuted, redis):
    minuted.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)


def retire_all(minuted, model, redis):
    """All that was watched so far becomes final."""
    last = minuted.now_ms() // MINUTE_MS
    minuted.advance(3 * HOUR_MS)
    watch_together(minuted, model)
    publish(minuted, redis)
    wait_until(lambda: int(redis.client.hget("minuted:watermarks", "final_through")) // 60 > last, "all before is final")


def prefixes(redis):
    return sorted(key[:-len(b"epoch")].decode() for key in redis.client.scan_iter(match="minuted:*:epoch"))


def backup(redis):
    """What each partition holds, as Redis's DUMP has it."""
    return {prefix: {key: redis.client.dump(key) for key in redis.client.scan_iter(match=f"{prefix}*")}
            for prefix in prefixes(redis)}


def restore(redis, partitions):
    for prefix, values in partitions.items():
        for key in redis.client.scan_iter(match=f"{prefix}*"):
            redis.client.delete(key)
        for key, value in values.items():
            redis.client.restore(key, 0, value)


def lost(minuted):
    return minuted.metric("minuted_lost_partitions")


def come_back_with(minuted, redis, partitions):
    """Redis comes back with PARTITIONS of a backup, while no daemon runs; the next one sees that."""
    now_ms = minuted.now_ms()
    minuted.stop()
    restore(redis, partitions)
    minuted.start(now_ms)
    wait_until(lambda: lost(minuted) == len(partitions), "the loss is seen")


def rebuild(minuted):
    code, output = run_minuted("--config", minuted.config_path, "--dev", "--rebuild")
    assert code == 0, output


def wait_whole(minuted):
    wait_until(lambda: lost(minuted) == 0, "every partition is whole")
    assert " lost=foreign " not in minuted.log_text()


def check(model, redis, kafka):
    """Every second counts once, and no record says less than one before it."""
    wait_settled(redis.client)
    assert Truth(redis.client).totals == model.totals()
    records = read_topics(kafka.brokers)
    merged = Merged(records)
    assert merged.totals == model.totals() == merged.totals_from_masks()
    assert merged.minutes() == model.minutes()
    check_last_in_time(merged)
    masks, sums = {}, {}
    for record in records:
        if record.topic == LEARNER_MINUTES:
            before, mask = masks.get(record.key, 0), record.value["seconds_mask"]
            assert before & ~mask == 0, f"{record.key} was {before:015x} and is {mask:015x}"
            masks[record.key] = mask
        elif record.topic == LESSON_MINUTES:
            before, seconds = sums.get(record.key, 0), record.value["watched_seconds"]
            assert before <= seconds, f"{record.key} was {before} and is {seconds}"
            sums[record.key] = seconds
    assert merged.lesson_minutes == model.lesson_minutes()


def test_a_backup_made_while_somebody_watched(minuted, model, kafka, redis):
    """What it has of the running minute is less than what was published of it, and final by now."""
    sessions = open_all(minuted)
    minuted.advance(50_000)
    send_all(model, sessions, run(0, 10_000))
    earlier = backup(redis)
    send_all(model, sessions, run(10_000, 40_000))
    publish(minuted, redis)
    retire_all(minuted, model, redis)
    come_back_with(minuted, redis, earlier)
    rebuild(minuted)
    wait_whole(minuted)
    watch_together(minuted, model)
    publish(minuted, redis)
    check(model, redis, kafka)


def test_one_shard_comes_back_older_than_the_others_keep(minuted, model, kafka, redis):
    """Its part of a lesson's minute is no sum, when the other partitions have freed theirs."""
    watch_together(minuted, model)
    publish(minuted, redis)
    watch_together(minuted, model)
    first = prefixes(redis)[0]
    earlier = {first: backup(redis)[first]}
    watch_together(minuted, model)
    publish(minuted, redis)
    retire_all(minuted, model, redis)
    come_back_with(minuted, redis, earlier)
    rebuild(minuted)
    wait_whole(minuted)
    watch_together(minuted, model)
    publish(minuted, redis)
    check(model, redis, kafka)


def test_a_second_loss_adds_nothing_twice(minuted, model, kafka, redis):
    """Before the minutes are retired that only totals have got back."""
    watch_together(minuted, model)
    publish(minuted, redis)
    earlier = backup(redis)
    watch_together(minuted, model)
    publish(minuted, redis)
    retire_all(minuted, model, redis)
    come_back_with(minuted, redis, earlier)
    with minuted.paused():  # so that nothing is retired before the next backup
        rebuild(minuted)
        rebuilt = backup(redis)
    wait_whole(minuted)
    watch_together(minuted, model)
    publish(minuted, redis)
    come_back_with(minuted, redis, rebuilt)
    rebuild(minuted)
    wait_whole(minuted)
    check(model, redis, kafka)


def test_a_backup_made_while_a_loss_was_waiting(minuted, model, kafka, redis):
    """It tells of a loss that is over, and Kafka knows of the epoch that came after it."""
    watch_together(minuted, model)
    publish(minuted, redis)
    earlier = backup(redis)
    watch_together(minuted, model)
    publish(minuted, redis)
    come_back_with(minuted, redis, earlier)
    waiting = backup(redis)
    rebuild(minuted)
    wait_whole(minuted)
    watch_together(minuted, model)
    publish(minuted, redis)
    come_back_with(minuted, redis, waiting)
    rebuild(minuted)
    wait_whole(minuted)
    watch_together(minuted, model)
    publish(minuted, redis)
    check(model, redis, kafka)


def test_evidence_that_only_the_old_topic_had(minuted, model, kafka, redis):
    """Published anew, the topic has what Redis still held: totals are more than that."""
    for _ in range(4):  # more than a total could be ahead of the minutes that are published
        watch_together(minuted, model)
    publish(minuted, redis)
    retire_all(minuted, model, redis)
    now_ms = minuted.now_ms()
    minuted.stop()
    kafka.admin.delete_topics([LEARNER_MINUTES], operation_timeout=PATIENCE_S)
    wait_until(lambda: LEARNER_MINUTES not in kafka.topic_names(), "the topic is gone")
    code, output = run_minuted("--config", minuted.config_path, "--create-topics")
    assert code == 0, output
    minuted.start(now_ms)
    code, output = run_minuted("--config", minuted.config_path, "--dev", "--republish")
    assert code == 0, output
    watch_together(minuted, model)
    publish(minuted, redis)
    now_ms = minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    minuted.start(now_ms)
    wait_until(lambda: lost(minuted) == PARTITIONS, "the loss is seen")
    rebuild(minuted)
    wait_whole(minuted)
    publish(minuted, redis)
    assert Truth(redis.client).totals == model.totals()
    assert Merged(read_topics(kafka.brokers)).totals == model.totals()


def test_a_transaction_that_is_open_hides_nothing(minuted, model, kafka, redis):
    """Another deployment's, which began before the last commit."""
    watch_together(minuted, model)
    publish(minuted, redis)
    other = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": "another deployment"})
    other.init_transactions(PATIENCE_S)
    other.begin_transaction()
    for topic, partition in end_offsets(kafka.brokers, (LEARNER_MINUTES, LEARNER_LESSONS)):
        other.produce(topic, "another deployment's", "key", partition=partition)
    other.flush(PATIENCE_S)
    watch_together(minuted, model)
    publish(minuted, redis)
    now_ms = minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    minuted.start(now_ms)
    wait_until(lambda: lost(minuted) == PARTITIONS, "the loss is seen")
    command = [MINUTED, "--config", minuted.config_path, "--dev", "--rebuild"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        while "records read" not in process.stdout.readline():
            assert process.poll() is None
        other.abort_transaction(PATIENCE_S)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    wait_whole(minuted)
    publish(minuted, redis)
    assert Truth(redis.client).totals == model.totals()
