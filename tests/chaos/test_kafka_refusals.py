"""Kafka reached, yet not willing: topics deleted or too narrow, quotas.

The daemon names what it is, loses nothing, and goes on by itself once it is mended.
"""

import subprocess
import time

import pytest
from confluent_kafka.admin import ConfigResource

from harness.agreement import check_published, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import run_minuted
from harness.model import Model
from harness.player import Player, accepted, run
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, Merged, read_topics
from harness.redis_truth import is_settled
from harness.service import PATIENCE_S, wait_until

RUNNING = {"publish": {"running_minutes": "1s"}}


class Class:
    """Learners who all watch the same seconds."""

    def __init__(self, minuted, learners=1):
        self.minuted, self.model, self.at_ms = minuted, Model(), 0
        players = [Player(minuted, f"teacher-{i}") for i in range(learners)]
        self.sessions = [(p, p.open("open-1")) for p in players]

    def watch(self, seconds=20):
        self.minuted.advance(seconds * 1000 + 1000)
        sent = run(self.at_ms, self.at_ms + seconds * 1000)
        self.at_ms += seconds * 1000
        for player, session in self.sessions:
            credited = self.model.claim(session.name, "open-1", session.anchor_ms, sent)
            assert player.send(session, sent) == [accepted(*credited)]


def publisher(minuted):
    """What /readyz?verbose says of publishing; never a reason to be unready."""
    status, text = minuted.readyz()
    assert status == 200, text
    return next(line for line in text.splitlines() if "publish" in line)


def wait_says(minuted, *parts):
    wait_until(lambda: all(p in publisher(minuted) for p in parts), f"the publisher says {parts}")


def set_topic(kafka, topic, **settings):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic,
                              set_config={k.replace("_", "."): str(v) for k, v in settings.items()})
    kafka.admin.alter_configs([resource])[resource].result()


def test_a_topic_deleted_while_publishing(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start(NOW_MS)
    pupils = Class(minuted)
    pupils.watch()
    check_published(pupils.model, redis.client, kafka.brokers)
    kafka.admin.delete_topics([LEARNER_MINUTES], operation_timeout=PATIENCE_S)[LEARNER_MINUTES].result()
    pupils.watch(60)
    wait_says(minuted, LEARNER_MINUTES, "missing")
    assert not is_settled(redis.client)
    assert run_minuted("--config", minuted.config_path, "--create-topics")[0] == 0
    wait_settled(redis.client)
    merged = Merged(read_topics(kafka.brokers))
    assert dict(merged.totals) == pupils.model.totals()
    for key, seconds in merged.minutes().items():
        assert seconds == pupils.model.minutes()[key], "what was published before is gone with the topic, no more"


@pytest.mark.parametrize("limit", [100, 600])
def test_a_topic_too_narrow(kafka, new_minuted, redis, limit):
    """100 bytes hold no record, 600 hold some, yet not all that are sent at once, as they are."""
    set_topic(kafka, LEARNER_MINUTES, max_message_bytes=limit)
    changes = {**RUNNING, "kafka": {"properties": {"compression.type": "none"}}}
    minuted = new_minuted(redis, kafka.brokers, changes=changes).start(NOW_MS)
    pupils = Class(minuted, 60)
    pupils.watch()
    wait_says(minuted, LEARNER_MINUTES, "max.message.bytes")
    if limit == 100:
        set_topic(kafka, LEARNER_MINUTES, max_message_bytes=1 << 20)
    check_published(pupils.model, redis.client, kafka.brokers)


# --- records that Kafka refuses by themselves -----------------------------------------------------------------------------

def refused_records(minuted):
    return minuted.metric("minuted_refused_records")


def watermark(minuted):
    return minuted.metric("minuted_published_through_timestamp_seconds")


def check_recovers(minuted, model, redis, kafka):
    """Whoever starts anew tries all of it again."""
    now_ms = minuted.now_ms()
    minuted.stop()
    minuted.start(now_ms + MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)
    assert refused_records(minuted) == 0


def wait_published(kafka, **expected):
    """Waits until the merged topics have what EXPECTED says: parts of `totals`, `minutes` or `lesson_minutes`."""
    def published():
        merged = Merged(read_topics(kafka.brokers))
        found = {"totals": dict(merged.totals), "minutes": merged.minutes(), "lesson_minutes": merged.lesson_minutes}
        return all(wanted.items() <= found[part].items() for part, wanted in expected.items())
    wait_until(published, "what Kafka takes is published")


def without(learner, found):
    return {key: value for key, value in found.items() if key[0] != f"higher/{learner}"}


def test_a_total_that_is_too_large(kafka, new_minuted, redis):
    """Who has seen a lesson in very many pieces has a large total. Nobody else waits for it."""
    set_topic(kafka, LEARNER_LESSONS, max_message_bytes=600)
    changes = {**RUNNING, "kafka": {"properties": {"compression.type": "none"}}}
    minuted = new_minuted(redis, kafka.brokers, changes=changes).start(NOW_MS)
    pupils = Class(minuted, 20)
    pupils.watch()
    check_published(pupils.model, redis.client, kafka.brokers)

    zapper = Player(minuted, "zapper")
    session = zapper.open("open-1")
    minuted.advance(5 * MINUTE_MS)
    pieces = [run(2000 * i, 2000 * i + 1000, media_from_ms=5000 * i) for i in range(100)]
    for piece, result in zip(pieces, zapper.send(session, *pieces), strict=True):
        assert result == accepted(*pupils.model.claim(session.name, "open-1", session.anchor_ms, piece))
    wait_until(lambda: refused_records(minuted) == 1, "the total is set aside")
    assert "zapper" in next(line for line in minuted.log_text().splitlines() if "event=record_refused" in line)
    wait_says(minuted, "Kafka refuses 1 records")
    pupils.at_ms += 5 * MINUTE_MS
    pupils.watch(60)
    wait_published(kafka, totals=without("zapper", pupils.model.totals()), minutes=pupils.model.minutes())
    assert watermark(minuted) <= session.anchor_ms // 1000, "what is not published holds it back"
    assert refused_records(minuted) == 1

    set_topic(kafka, LEARNER_LESSONS, max_message_bytes=1 << 20)
    check_recovers(minuted, pupils.model, redis, kafka)


@pytest.mark.parametrize("topic", [LEARNER_MINUTES, LESSON_MINUTES])
def test_minutes_that_are_too_old(kafka, new_minuted, redis, topic):
    """A topic takes no record from before a certain time. What is dated later goes on, and so do the other topics."""
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start(NOW_MS)
    pupils = Class(minuted, 20)
    first_ms = minuted.now_ms() // MINUTE_MS * MINUTE_MS
    minuted.advance(60 * MINUTE_MS)
    pupils.at_ms = 50 * MINUTE_MS
    pupils.watch()
    check_published(pupils.model, redis.client, kafka.brokers)
    too_old_ms, stands = first_ms + 30 * MINUTE_MS, watermark(minuted)
    set_topic(kafka, topic, message_timestamp_before_max_ms=int(time.time() * 1000) - too_old_ms)

    now_ms, pupils.at_ms = pupils.at_ms, 0
    for minute in range(8):
        pupils.at_ms = 7 * minute * MINUTE_MS
        pupils.watch(10)
    minutes, sums = pupils.model.minutes(), pupils.model.lesson_minutes()
    if topic == LEARNER_MINUTES:
        minutes = {key: seconds for key, seconds in minutes.items() if key[-1] * 1000 >= too_old_ms}
    else:
        sums = {key: value for key, value in sums.items() if key[-1] * 1000 >= too_old_ms}
    wait_published(kafka, totals=pupils.model.totals(), minutes=minutes, lesson_minutes=sums)
    found = Merged(read_topics(kafka.brokers))
    assert len(found.minutes()) == len(minutes) and len(found.lesson_minutes) == len(sums), "the others are held back"
    wait_until(lambda: refused_records(minuted) > 0, "those that are refused are set aside")
    minuted.advance(5 * MINUTE_MS)
    pupils.at_ms = now_ms + 5 * MINUTE_MS
    pupils.watch(10)
    wait_published(kafka, totals=pupils.model.totals())
    assert watermark(minuted) == stands, "what is not published holds it"

    set_topic(kafka, topic, message_timestamp_before_max_ms=2**63 - 1)
    check_recovers(minuted, pupils.model, redis, kafka)


def configure_quota(kafka, change):
    subprocess.run([*kafka.java, "kafka.admin.ConfigCommand", "--bootstrap-server", kafka.brokers, "--alter",
                    *change, "--entity-type", "clients", "--entity-name", "minuted"], check=True, capture_output=True)


@pytest.fixture
def narrow_quota(kafka):
    configure_quota(kafka, ["--add-config", "producer_byte_rate=1000"])
    yield
    configure_quota(kafka, ["--delete-config", "producer_byte_rate"])


def test_a_quota(kafka, narrow_quota, new_minuted, redis):
    """Half a minute's worth of records at once: the broker lets the daemon wait, and it does."""
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start(NOW_MS)
    pupils = Class(minuted, 60)
    pupils.watch()
    check_published(pupils.model, redis.client, kafka.brokers)
