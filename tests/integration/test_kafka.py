"""The topics as other services see them, and what an absent or broken Kafka does: nothing is lost, players notice nothing."""

import subprocess

import pytest
from confluent_kafka.admin import NewPartitions, NewTopic

from harness.agreement import check_published, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import run_minuted
from harness.kafka_broker import TOPICS, KafkaBroker, kafka_jars
from harness.model import Model
from harness.player import accepted, run, watch
from harness.records import (LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, WATERMARKS, Merged, partition_of,
                             read_topics, watermarks)
from harness.redis_truth import is_settled
from harness.service import PATIENCE_S, wait_until

GRACE_PASSED_MS = 5 * MINUTE_MS


# --- topics -------------------------------------------------------------------------------------

def test_create_topics(kafka_without_topics, new_minuted):
    kafka = kafka_without_topics
    config = new_minuted(brokers=kafka.brokers).write_config()
    code, output = run_minuted("--config", config, "--create-topics")
    assert code == 0, output
    for topic in TOPICS:
        assert topic in output
    for topic in (LEARNER_LESSONS, WATERMARKS):
        assert kafka.topic_settings(topic)["cleanup.policy"] == "compact", topic
    for topic, policy in ((LEARNER_MINUTES, "delete"), (LESSON_MINUTES, "compact,delete")):
        settings = kafka.topic_settings(topic)
        assert settings["cleanup.policy"] == policy
        assert int(settings["retention.ms"]) == 400 * 86_400_000
    code, output = run_minuted("--config", config, "--create-topics")
    assert code == 0, f"a second time changes nothing and is no error: {output}"


def test_create_topics_says_which_broker_cannot_be_reached(new_minuted):
    minuted = new_minuted(brokers="127.0.0.1:1")
    code, output = run_minuted("--config", minuted.write_config(), "--create-topics")
    assert code != 0 and "127.0.0.1:1" in output


def test_a_missing_topic_is_named_and_heals(kafka, new_minuted, redis):
    kafka.admin.delete_topics([LEARNER_MINUTES], operation_timeout=PATIENCE_S)[LEARNER_MINUTES].result()
    wait_until(lambda: LEARNER_MINUTES not in kafka.topic_names(), "it is gone")
    minuted = new_minuted(redis, kafka.brokers, changes={"publish": {"running_minutes": "1s"}}).start(NOW_MS)
    model = Model()
    watch(minuted, model)
    minuted.wait_log(LEARNER_MINUTES)
    assert minuted.is_ready(), "Kafka never makes the daemon unready"
    run_minuted("--config", minuted.config_path, "--create-topics")
    check_published(model, redis.client, kafka.brokers)


# --- partitions ---------------------------------------------------------------------------------

def add_partitions(kafka, topic, n):
    kafka.admin.create_partitions([NewPartitions(topic, n)])[topic].result(PATIENCE_S)
    wait_until(lambda: kafka.partitions(topic) == n, "they are there")


def partition_of_each_key(kafka):
    """Key -> partitions that hold records of it."""
    found = {}
    for record in read_topics(kafka.brokers, (LEARNER_LESSONS,)):
        found.setdefault(record.key, set()).add(record.partition)
    return found


def test_a_topic_that_gets_more_partitions_is_told_and_keys_keep_to_theirs(kafka, new_minuted, redis):
    changes = {"publish": {"running_minutes": "1s"}}
    minuted = new_minuted(redis, kafka.brokers, changes=changes).start(NOW_MS)
    model = Model()
    watched = [watch(minuted, model, f"teacher-{i}", seconds=20) for i in range(12)]
    check_published(model, redis.client, kafka.brokers)
    before = partition_of_each_key(kafka)
    assert minuted.metric("minuted_grown_topics") == 0
    add_partitions(kafka, LEARNER_LESSONS, 29)
    minuted.wait_log(f"event=topic_grown topic={LEARNER_LESSONS} partitions=29 published_to=12")
    wait_until(lambda: "1 topics have more partitions" in minuted.readyz()[1], "it is shown")
    minuted.stop()

    again = new_minuted(redis, kafka.brokers, "again", changes).start(minuted_now(watched) + MINUTE_MS)
    wait_until(lambda: again.metric("minuted_grown_topics") == 1, "the next publisher sees it, too")
    assert again.log_text().count("event=topic_grown") == 1
    for i in range(12):
        watch(again, model, f"teacher-{i}", seconds=20)
    check_published(model, redis.client, kafka.brokers)
    assert partition_of_each_key(kafka) == before


def minuted_now(watched):
    return max(session.anchor_ms for _, session in watched) + 5 * MINUTE_MS


def test_a_topic_with_fewer_partitions_has_lost_what_it_had(kafka, new_minuted, redis):
    changes = {"publish": {"running_minutes": "1s"}}
    minuted = new_minuted(redis, kafka.brokers, changes=changes).start(NOW_MS)
    model = Model()
    _, session = watch(minuted, model)
    check_published(model, redis.client, kafka.brokers)
    minuted.stop()
    kafka.admin.delete_topics([LEARNER_LESSONS], operation_timeout=PATIENCE_S)[LEARNER_LESSONS].result()
    wait_until(lambda: LEARNER_LESSONS not in kafka.topic_names(), "it is gone")
    kafka.admin.create_topics([NewTopic(LEARNER_LESSONS, 3, 1)])[LEARNER_LESSONS].result()
    wait_until(lambda: kafka.partitions(LEARNER_LESSONS) == 3, "it is made anew")

    again = new_minuted(redis, kafka.brokers, "again", changes).start(session.anchor_ms + 5 * MINUTE_MS)
    again.wait_log(f"event=topic_made_anew topic={LEARNER_LESSONS} partitions=3 before=12")
    wait_until(lambda: again.metric("minuted_kafka_lost") == 1, "it counts as lost")
    code, output = run_minuted("--config", again.config_path, "--dev", "--republish")
    assert code == 0, output
    wait_until(lambda: again.metric("minuted_kafka_lost") == 0, "it is over")
    check_published(model, redis.client, kafka.brokers)


# --- records ------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_records(kafka, new_minuted, redis, form):
    minuted = new_minuted(redis, kafka.brokers, changes={"kafka": {"format": form}}).start(NOW_MS)
    model = Model()
    for i in range(12):
        watch(minuted, model, f"teacher-{i}", f"open-{i % 3 + 1}", 65, ("higher", "basic")[i % 2])
    minuted.advance(GRACE_PASSED_MS)
    merged = check_published(model, redis.client, kafka.brokers)
    for record in merged.records:
        check_record(record, form, kafka.partitions(record.topic))


def check_record(record, form, partitions):
    value = record.value
    assert record.headers["content-type"] == f"application/{form}"
    assert record.headers["schema"]
    assert value["program"] == "integration"
    if record.topic == WATERMARKS:
        key = [value["program"], value["deployment"], str(value.get("partition", ""))]
        assert record.key == "/".join(filter(None, key))
        assert record.timestamp_ms == (value["epoch"] + value["taken"] if "partition" in value else
                                       value["published_through"] * 1000)
        return
    if record.topic == LESSON_MINUTES:
        assert record.key == f"{value['minute_start']}/integration/{value['lesson_id']}"
        assert value["course_id"] == "open" and value["minute_start"] % 60 == 0
        assert record.timestamp_ms == value["minute_start"] * 1000
        return
    learner = f"{value['portal']}/{value['learner_id']}"
    assert record.partition == partition_of(learner, partitions)
    assert value["course_id"] == "open"
    if record.topic == LEARNER_LESSONS:
        assert record.key == f"integration/{value['portal']}/{value['lesson_id']}/{value['learner_id']}"
        assert record.timestamp_ms == value["last_minute_start"] * 1000
    else:
        assert record.key == \
            f"{value['minute_start']}/integration/{value['portal']}/{value['lesson_id']}/{value['learner_id']}"
        assert record.timestamp_ms == value["minute_start"] * 1000
        assert value["watched_seconds"] == value["seconds_mask"].bit_count() > 0


def test_the_partitioner_is_the_java_clients():
    """murmur2 with values that Apache Kafka's own tests hold."""
    from harness.records import murmur2
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
             b"a-little-bit-longer-string": -1486304829,
             b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, b"abc": 479470107}
    for data, expected in known.items():
        assert murmur2(data) == expected & 0xFFFFFFFF


def test_kcat_reads_the_totals(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, changes={"kafka": {"format": "json"}}).start(NOW_MS)
    watch(minuted, Model(), seconds=50)
    minuted.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)
    done = subprocess.run(["kcat", "-b", kafka.brokers, "-C", "-t", LEARNER_LESSONS, "-e", "-q", "-f", "%k %s\n",
                           "-X", "isolation.level=read_committed"], capture_output=True, text=True, timeout=PATIENCE_S)
    key, value = done.stdout.strip().splitlines()[-1].split(" ", 1)
    assert key == "integration/higher/open-1/teacher-1"
    assert '"watched_seconds":50' in value.replace(" ", "")


# --- when ---------------------------------------------------------------------------------------

def test_a_minute_is_due_by_the_clock_and_a_late_run_again(kafka, new_minuted, redis):
    """Its clock only goes forward: a publisher that had read it before it was put back would take everything as due."""
    minuted = new_minuted(redis, kafka.brokers).start()
    model = Model()
    player, session = watch(minuted, model, seconds=40)
    redis.wait_asked(":due", times=3)  # three looks of the publisher
    assert not is_settled(redis.client), "published before its grace had passed"
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    late = run(45_000, 52_000)
    model.claim(session.name, "open-1", session.anchor_ms, late)
    assert player.send(session, late) == [accepted(7)]
    check_published(model, redis.client, kafka.brokers)


def test_running_minutes_are_published_at_once(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, changes={"publish": {"running_minutes": "1s"}}).start()
    model = Model()
    watch(minuted, model, seconds=20)
    check_published(model, redis.client, kafka.brokers)


def test_watermarks_tell_how_far_all_is_published(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers).start()
    model = Model()
    _, session = watch(minuted, model, seconds=10)
    minuted.advance(GRACE_PASSED_MS)
    target = session.anchor_ms // 60_000 * 60 + 60

    def published_through():
        return Merged(read_topics(kafka.brokers)).watermark.get("published_through", 0)
    wait_until(lambda: published_through() >= target, "the watermark passes the minute", every=0.5)
    assert is_settled(redis.client)
    merged = check_published(model, redis.client, kafka.brokers)
    assert merged.watermark.get("final_through", 0) <= merged.watermark["published_through"]


def test_watermarks_move_also_when_idle(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers).start()

    def mark():
        marks = watermarks(read_topics(kafka.brokers, (WATERMARKS,)))
        return marks[-1]["published_through"] if marks else 0
    first = wait_until(mark, "a first watermark", every=0.5)
    minuted.advance(5 * MINUTE_MS)
    wait_until(lambda: mark() >= first + 240, "the watermark follows the clock", every=0.5)


# --- Kafka away ---------------------------------------------------------------------------------

@pytest.fixture
def own_kafka(tmp_path, services):
    """A broker that the test may end."""
    broker = KafkaBroker(tmp_path / "own-kafka", kafka_jars()).format()
    services.append(broker)
    return broker


def test_kafka_away_at_start_and_crashed_later(own_kafka, new_minuted, redis):
    minuted = new_minuted(redis, own_kafka.brokers, changes={"publish": {"running_minutes": "1s"}}).start(NOW_MS)
    model = Model()
    watch(minuted, model)
    own_kafka.start()
    code, output = run_minuted("--config", minuted.config_path, "--create-topics")
    assert code == 0, output
    check_published(model, redis.client, own_kafka.brokers)

    own_kafka.kill()
    watch(minuted, model)
    assert minuted.is_ready(), "an outage of Kafka is survived"
    own_kafka.start()
    check_published(model, redis.client, own_kafka.brokers)


def test_properties_pass_through(kafka, new_minuted, redis):
    properties = {"compression.type": "gzip", "client.id": "winter"}
    minuted = new_minuted(redis, kafka.brokers, changes={"kafka": {"properties": properties}}).start(NOW_MS)
    model = Model()
    watch(minuted, model)
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)


def test_a_wrong_property_is_named(new_minuted, redis):
    minuted = new_minuted(redis, "127.0.0.1:1", changes={"kafka": {"properties": {"no.such.property": "1"}}})
    minuted.launch()
    assert minuted.wait_exit() == 1
    assert "no.such.property" in minuted.log_text()


def test_embedded_kafka_needs_dev(new_minuted, redis):
    minuted = new_minuted(redis, "embedded", dev=False)
    code, output = run_minuted("--config", minuted.write_config(), "--check-config")
    assert code != 0 and "embedded" in output and "--dev" in output


# --- the lease ----------------------------------------------------------------------------------

def holds_lease(minuted):
    return minuted.metric("minuted_publish_holds_lease") == 1


def test_one_publishes_and_the_other_takes_over(kafka, new_minuted, redis):
    changes = {"kafka": {"deployment": "pair"}, "publish": {"running_minutes": "1s"}}
    pair = [new_minuted(redis, kafka.brokers, name, changes).start(NOW_MS) for name in ("left", "right")]
    wait_until(lambda: any(map(holds_lease, pair)), "one holds the lease")
    model = Model()
    watch(pair[0], model)
    check_published(model, redis.client, kafka.brokers)
    assert sum(map(holds_lease, pair)) == 1

    pair.sort(key=holds_lease)
    pair.pop().kill()
    watch(pair[0], model, "teacher-2")
    check_published(model, redis.client, kafka.brokers)
    assert holds_lease(pair[0])


def test_a_clean_stop_hands_the_lease_over_at_once(kafka, new_minuted, redis):
    changes = {"kafka": {"deployment": "pair"}, "publish": {"running_minutes": "1s"}}
    pair = [new_minuted(redis, kafka.brokers, name, changes).start(NOW_MS) for name in ("left", "right")]
    wait_until(lambda: any(map(holds_lease, pair)), "one holds the lease")
    pair.sort(key=holds_lease)
    pair.pop().stop()
    wait_until(lambda: holds_lease(pair[0]), "the other holds it")
