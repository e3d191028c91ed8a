"""Kafka reached, yet not willing: topics deleted or too narrow, quotas.

The daemon names what it is, loses nothing, and goes on by itself once it is mended.
"""

import subprocess

import pytest
from confluent_kafka.admin import ConfigResource

from harness.agreement import check_published, wait_settled
from harness.catalog import NOW_MS
from harness.daemon import run_minuted
from harness.model import Model
from harness.player import Player, accepted, run
from harness.records import LEARNER_MINUTES, Merged, read_topics
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
