"""`minuted --lower-floor`: a wrong clock has closed minutes, and they can be claimed again, each second once."""

import time

import pytest

from harness.agreement import check_no_second_twice
from harness.daemon import run_minuted
from harness.model import Model
from harness.player import Player, accepted, run
from harness.records import Merged, read_topics
from harness.redis_truth import Truth
from harness.service import wait_until

CHANGES = {"publish": {"running_minutes": "1s"}, "redis": {"partitions": 2}}
LEARNERS = [f"teacher-{i}" for i in range(6)]
AHEAD_MINUTES = 360


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def minuted(kafka, new_minuted, redis):
    """Without --dev, whose clock could be moved at will, so that no floor is a wrong one."""
    daemon = new_minuted(redis, kafka.brokers, changes=CHANGES, dev=False).start()
    daemon.now_ms = now_ms
    return daemon


def lower(minuted):
    return run_minuted("--config", minuted.config_path, "--lower-floor")


def watch(minuted, model, players):
    """Each plays three seconds of real time; gives back the sessions."""
    sessions = [(player, player.open("open-1")) for player in players]
    wait_until(lambda: now_ms() > sessions[-1][1].anchor_ms + 3500, "they have watched")
    for player, session in sessions:
        credited = model.claim(session.name, "open-1", session.anchor_ms, run(0, 3000))
        assert player.send(session, run(0, 3000)) == [accepted(*credited)]
    return sessions


def prefixes(redis):
    return [key[:-len(b"epoch")].decode() for key in redis.client.scan_iter(match="minuted:*:epoch")]


def close_minutes(redis, retire):
    """What a daemon does whose clock is hours ahead: all is published, so it is retired."""
    floor = now_ms() // 60_000 // 10 * 10 + AHEAD_MINUTES
    for prefix in prefixes(redis):
        redis.client.set(f"{prefix}floor", floor)
        for kind in ("w", "l") if retire else ():
            for key in redis.client.scan_iter(match=f"{prefix}{kind}:*"):
                redis.client.delete(key)
    return floor


@pytest.mark.parametrize("retire", [True, False], ids=["retired", "kept"])
def test_no_second_counts_twice_and_new_ones_count(kafka, minuted, redis, retire):
    model = Model()
    sessions = watch(minuted, model, [Player(minuted, name) for name in LEARNERS])
    wait_until(lambda: Merged(read_topics(kafka.brokers)).lesson_minutes == model.lesson_minutes(), "all is published")
    close_minutes(redis, retire)
    player, session = sessions[0]
    assert player.post_once(session.heartbeat(run(0, 3000))).status == 503, "it takes nothing"
    code, output = lower(minuted)
    assert code == 0 and "can be claimed" in output, output
    for player, session in sessions:
        assert player.send(session, run(0, 3000)) == [accepted(0, duplicate=3)]
    wait_until(lambda: now_ms() > sessions[-1][1].anchor_ms + 7500, "they have watched on")
    for player, session in sessions:
        credited = model.claim(session.name, "open-1", session.anchor_ms, run(2000, 7000))
        assert player.send(session, run(2000, 7000)) == [accepted(*credited)]
    truth = Truth(redis.client)
    assert truth.totals == model.totals()
    assert truth.minutes == model.minutes()
    assert dict(truth.lesson_minutes) == model.lesson_minutes()
    check_no_second_twice(truth.minutes)

    def published():
        merged = Merged(read_topics(kafka.brokers))
        return merged.minutes() == model.minutes() and merged.totals == model.totals() and \
            merged.lesson_minutes == model.lesson_minutes()
    wait_until(published, "Kafka has the same")
    code, output = lower(minuted)
    assert code == 0 and "No floor is a wrong one" in output, output


def test_what_is_lost_is_rebuilt_first(minuted, redis):
    watch(minuted, Model(), [Player(minuted, name) for name in LEARNERS])
    wait_until(lambda: len(prefixes(redis)) == 2, "both partitions are in use")
    floor = close_minutes(redis, False)
    for prefix in prefixes(redis):
        redis.client.hset(f"{prefix}epoch", mapping={"lost": "rolled_back", "told_id": 1, "told_taken": 1})
    code, output = lower(minuted)
    assert code == 1 and "--rebuild first" in output, output
    assert {int(redis.client.get(f"{prefix}floor")) for prefix in prefixes(redis)} == {floor}


def test_consumers_that_were_told_are_named(minuted, redis):
    watch(minuted, Model(), [Player(minuted, "teacher-1")])
    wait_until(lambda: redis.client.exists("minuted:watermarks"), "there is a watermark")
    floor = close_minutes(redis, False)
    redis.client.hset("minuted:watermarks", "final_through", floor * 60)
    code, output = lower(minuted)
    assert code == 0 and "Consumers were told" in output, output
