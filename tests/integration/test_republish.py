"""`minuted --republish`: Kafka has lost what it had, and gets all that Redis holds once more."""

import subprocess

import pytest

from harness.agreement import check_published, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import MINUTED, run_minuted
from harness.kafka_broker import TOPICS
from harness.model import Model
from harness.player import watch
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, read_topics
from harness.service import PATIENCE_S, environment, wait_until

GRACE_PASSED_MS = 5 * MINUTE_MS


def republish(minuted):
    code, output = run_minuted("--config", minuted.config_path, *(["--dev"] if minuted.dev else []), "--republish")
    assert code == 0, output
    return output


def published(minuted, model, redis, brokers):
    for i in range(10):
        watch(minuted, model, f"teacher-{i}", f"open-{i % 3 + 1}")
    minuted.advance(GRACE_PASSED_MS)
    return check_published(model, redis.client, brokers)


def test_topics_that_were_made_again_are_whole_again(kafka, new_minuted, redis):
    minuted, model = new_minuted(redis, kafka.brokers).start(NOW_MS), Model()
    published(minuted, model, redis, kafka.brokers)
    kafka.delete_topics()
    code, output = run_minuted("--config", minuted.config_path, "--create-topics")
    assert code == 0, output
    watch(minuted, model, "teacher-1", "open-2", 30)
    minuted.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)
    assert {r.value["learner_id"] for r in read_topics(kafka.brokers) if r.topic == LEARNER_MINUTES} == {"teacher-1"}
    output = republish(minuted)
    assert "Redis holds the evidence since" in output and "done: " in output
    check_published(model, redis.client, kafka.brokers)
    before = len(read_topics(kafka.brokers, (LEARNER_MINUTES,)))
    republish(minuted)
    check_published(model, redis.client, kafka.brokers)
    assert len(read_topics(kafka.brokers, (LEARNER_MINUTES,))) > before, "it can be asked for again"


def test_it_waits_for_a_daemon_and_goes_on_without_the_command(kafka, new_minuted, redis):
    minuted, model = new_minuted(redis, kafka.brokers).start(NOW_MS), Model()
    published(minuted, model, redis, kafka.brokers)
    records = len(read_topics(kafka.brokers, (LEARNER_MINUTES,)))
    minuted.stop()
    command = [MINUTED, "--config", minuted.config_path, "--dev", "--republish"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment()) as asking:
        try:
            wait_until(lambda: redis.client.hget("minuted:republish", "asked"), "it is asked for")
        finally:
            asking.kill()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as waiting:
        try:
            assert "under way" in waiting.stdout.readline()
            minuted.start(NOW_MS + 60 * MINUTE_MS)
            output = waiting.communicate(timeout=PATIENCE_S)[0]
        finally:
            waiting.kill()
    assert waiting.returncode == 0 and "done: " in output, output
    assert len(read_topics(kafka.brokers, (LEARNER_MINUTES,))) == 2 * records
    check_published(model, redis.client, kafka.brokers)


def test_another_kafka_gets_everything_and_the_old_one_nothing_more(kafka, new_minuted, redis):
    """Here only the topics are others; the cluster's id is compared alike."""
    old, model = new_minuted(redis, kafka.brokers, "old").start(NOW_MS), Model()
    published(old, model, redis, kafka.brokers)
    new = new_minuted(redis, kafka.brokers, "new", {"kafka": {"topic_prefix": "north"}}).start(old.now_ms())
    code, output = run_minuted("--config", new.config_path, "--create-topics")
    assert code == 0, output
    records = len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES)))
    code, output = run_minuted("--config", new.config_path, "--dev", "--republish", "--to-new-kafka", seconds=PATIENCE_S)
    assert code == 0 and "topics north.*" in output, output
    wait_until(lambda: "kafka.topic_prefix = north" in old.readyz()[1], "the old daemon stands by")
    watch(old, model, "teacher-1", "open-2", 30)
    for minuted in (old, new):
        minuted.advance(GRACE_PASSED_MS)
    north = tuple(topic.replace("minuted.", "north.") for topic in TOPICS)
    check_published(model, redis.client, kafka.brokers, topics=north)
    assert len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES))) == records
    kafka.admin.delete_topics(list(north), operation_timeout=PATIENCE_S)


@pytest.mark.parametrize("arguments", [["--to-new-kafka"], ["--to-new-kafka", "--check-config"]])
def test_another_kafka_goes_with_republish_alone(arguments):
    code, output = run_minuted(*arguments)
    assert code == 2 and "--republish" in output


def test_it_says_why_it_cannot(new_minuted):
    minuted = new_minuted(brokers="127.0.0.1:1")
    code, output = run_minuted("--config", minuted.write_config(), "--dev", "--republish")
    assert code == 1 and "127.0.0.1:1" in output
