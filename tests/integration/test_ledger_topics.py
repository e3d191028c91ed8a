"""minuted-ledger follow against topics that are not what they were: made again, of another cluster, cut off by age."""

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic

from harness.daemon import ROOT
from harness.kafka_broker import TOPICS, KafkaBroker, kafka_jars
from harness.ledger import LEDGER, Ledger, run_ledger
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, WATERMARKS, end_offsets, proto, read_topics
from harness.service import PATIENCE_S, Service, wait_until

MINUTE = 1674187200
PARTITIONS = 2
ALL_SECONDS = (1 << 60) - 1
EPOCH = MINUTE * 1000


class CleaningKafka(KafkaBroker):
    """Another cluster, whose broker deletes and compacts at once."""
    name = "cleaning-kafka"
    cluster_id = "YW5vdGhlci1jbHVzdGVyMQ"
    more_properties = ("log.retention.check.interval.ms=200\nlog.initial.task.delay.ms=100\n"
                       "log.cleaner.backoff.ms=100\nlog.segment.delete.delay.ms=100\n")


@pytest.fixture(scope="module")
def cleaning_kafka(tmp_path_factory, shared_services):
    broker = CleaningKafka(tmp_path_factory.mktemp("cleaning"), kafka_jars())
    shared_services.append(broker)
    return broker.format().start()


def create(kafka, *topics, partitions=PARTITIONS, **config):
    def made():
        for future in kafka.admin.create_topics([NewTopic(t, partitions, 1, config=config) for t in topics]).values():
            future.result()
        return True
    wait_until(made, "topics are made")
    wait_until(lambda: end_offsets(kafka.brokers, topics), "every partition has its leader")


def create_again(kafka, *topics, **config):
    for future in kafka.admin.delete_topics(list(topics), operation_timeout=PATIENCE_S).values():
        future.result()
    wait_until(lambda: not kafka.topic_names().intersection(topics), "topics are deleted")
    create(kafka, *topics, **config)


@pytest.fixture
def topics(kafka_without_topics):
    """A Kafka with minuted's topics, PARTITIONS each, and nothing in them."""
    create(kafka_without_topics, *TOPICS)
    return kafka_without_topics


@pytest.fixture
def ledger(topics, tmp_path, catalog):
    return Ledger(tmp_path / "ledger.db", topics.brokers, catalog)


# --- records --------------------------------------------------------------------------------------

def minute_record(learner, minute=MINUTE, mask=ALL_SECONDS):
    value = {"program": "p", "portal": "higher", "learner_id": learner, "course_id": "open", "lesson_id": "open-1",
             "minute_start": minute, "seconds_mask": f"{mask:015x}", "watched_seconds": mask.bit_count()}
    return LEARNER_MINUTES, f"{minute}/p/higher/open-1/{learner}", value


def lesson_record(learner, seconds=60, **more):
    value = {"program": "p", "portal": "higher", "learner_id": learner, "course_id": "open", "lesson_id": "open-1",
             "watched_seconds": seconds, "covered_seconds": 30, "covered": [0, 30000], "last_minute_start": MINUTE,
             "epoch": EPOCH}
    return LEARNER_LESSONS, f"p/higher/open-1/{learner}", value | more


def sum_record(i):
    minute = MINUTE + 60 * i
    value = {"program": "p", "course_id": "open", "lesson_id": "open-1", "minute_start": minute, "watched_seconds": 7,
             "learners": 1}
    return LESSON_MINUTES, f"{minute}/p/open-1", value


def watermark_records(i):
    """Of the deployment and of a partition, as minuted publishes them side by side."""
    value = {"program": "p", "deployment": "default", "held_by": []}
    return [(WATERMARKS, "p/default", value | {"published_through": MINUTE + 60 * i, "final_through": MINUTE}),
            (WATERMARKS, "p/default/3", value | {"partition": 3, "epoch": EPOCH, "taken": i + 1})]


TIMESTAMPS_MS = count(MINUTE * 1000, 60_000)  # a minute later with each call: a topic's segments end by these times


def publish(brokers, records):
    """In transactions of a hundred, as minuted's publisher writes them, so that marks stand between the records."""
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": "test", "log_level": 0,
                         "partitioner": "murmur2"})
    timestamp_ms = next(TIMESTAMPS_MS)
    producer.init_transactions(30)
    for i in range(0, len(records), 100):
        producer.begin_transaction()
        for topic, key, value in records[i:i + 100]:
            form = "json" if isinstance(value, dict) else "protobuf"
            producer.produce(topic, json.dumps(value) if isinstance(value, dict) else value, key,
                             headers={"content-type": f"application/{form}"}, timestamp=timestamp_ms)
        producer.commit_transaction(30)
    end_offsets(brokers, {topic for topic, _, _ in records})


def in_protobuf(topic, key, value):
    """A learner's total."""
    return topic, key, proto("records").LearnerLesson(**value).SerializeToString()


def learners(name, n):
    return [record for i in range(n) for record in (minute_record(f"{name}-{i}"), lesson_record(f"{name}-{i}"))]


def follow(ledger, *argv):
    """Exit code, standard output and standard error of reading all that is there."""
    return run_ledger("follow", "--brokers", ledger.brokers, "--db", ledger.database, "--until-idle", "0.3", *argv)


def rows(ledger, table):
    with sqlite3.connect(ledger.database) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def assert_stops(ledger, *words):
    """Following fails, says all of WORDS, and leaves the ledger as it was."""
    before = ledger.dump()
    code, output, errors = follow(ledger)
    assert code == 1, output + errors
    for word in words:
        assert word in errors, errors
    assert ledger.dump() == before
    return errors


@contextmanager
def following(ledger, tmp_path, *argv):
    service = Service(tmp_path / "follow")
    service.spawn([LEDGER, "follow", "--brokers", ledger.brokers, "--db", ledger.database, "--look-every", "1", *argv])
    try:
        yield service
    finally:
        service.kill()


# --- golden records -------------------------------------------------------------------------------

def test_golden_records_are_read_in_both_forms(topics, ledger):
    vectors = json.loads((ROOT / "proto" / "vectors" / "records.json").read_text())["vectors"]
    publish(topics.brokers, [(v["topic"], v["key"], form(v)) for v in vectors
                             for form in (lambda v: v["json"], lambda v: bytes.fromhex(v["protobuf"]))])
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith(f"{2 * len(vectors)} records stored, 0 passed over"), output + errors


# --- healthy topics -------------------------------------------------------------------------------

def test_a_healthy_topic_is_followed_on(topics, ledger, tmp_path):
    """Again and again, in parts, with every kind of record, and while it compares each second."""
    expected = 0
    for part in range(4):
        publish(topics.brokers, learners(f"part{part}", 120) + learners("again", 3) +
                [sum_record(part), *watermark_records(part)] +
                [(LEARNER_LESSONS, "somebody", {"no": "record"})] * (part % 2))
        expected += 120
        code, output, errors = follow(ledger)
        assert code == 0, errors
        assert rows(ledger, "learner_lessons") == rows(ledger, "learner_minutes") == expected + 3
    with following(ledger, tmp_path) as service:
        for part in range(4, 8):
            publish(topics.brokers, learners(f"part{part}", 120) + learners("again", 3) + watermark_records(part))
            expected += 120
            wait_until(lambda: rows(ledger, "learner_lessons") == expected + 3, "it is read")
            before = ledger.dump()["offsets"]
            wait_until(lambda: ledger.dump()["offsets"] != before, "it was compared")
        assert service.terminate() == 0, service.log_text()
        assert "another" not in service.log_text() and "missed" not in service.log_text()
    assert follow(ledger)[0] == 0


def test_partitions_that_are_added_are_followed(topics, ledger, tmp_path):
    publish(topics.brokers, learners("first", 50))
    with following(ledger, tmp_path) as service:
        wait_until(lambda: ledger.database.exists() and rows(ledger, "learner_lessons") == 50, "it is read")
        for future in topics.admin.create_partitions([NewPartitions(t, 5) for t in TOPICS]).values():
            future.result()
        wait_until(lambda: topics.partitions(LEARNER_LESSONS) == 5, "partitions are added")
        publish(topics.brokers, learners("second", 200) + learners("first", 50))
        wait_until(lambda: rows(ledger, "learner_lessons") == 250, "the added ones are read, too")
        service.wait_log("event=partitions_added")
        assert service.terminate() == 0, service.log_text()
    assert follow(ledger)[0] == 0


# --- another prefix -------------------------------------------------------------------------------

NORTH = tuple(topic.replace("minuted.", "north-1.") for topic in TOPICS)


@pytest.fixture
def north(kafka_without_topics):
    """A Kafka with the topics of a minuted whose kafka.topic_prefix is north-1."""
    kafka = kafka_without_topics
    create(kafka, *NORTH)
    yield kafka
    for future in kafka.admin.delete_topics(list(NORTH), operation_timeout=PATIENCE_S).values():
        future.result()
    wait_until(lambda: not kafka.topic_names().intersection(NORTH), "topics are deleted")


def test_topics_with_another_prefix(north, tmp_path, catalog):
    database, brokers = tmp_path / "ledger.db", north.brokers
    records = [minute_record("t-1"), lesson_record("t-1"), sum_record(1), *watermark_records(1)]
    publish(brokers, [(dict(zip(TOPICS, NORTH, strict=True))[topic], key, value) for topic, key, value in records])
    ledger = Ledger(database, brokers, catalog)
    wait_until(lambda: follow(ledger, "--topic-prefix", "north-1")[0] == 0 and rows(ledger, "watermarks") == 2,
               "all is read")  # the marks of a transaction may come a moment later
    assert rows(ledger, "learner_lessons") == rows(ledger, "learner_minutes") == rows(ledger, "lesson_minutes") == 1
    who = ["--portal", "higher", "--learner", "t-1", "--minute", MINUTE]
    text = ledger.report("why", *who)
    assert "north-1.learner-minutes partition" in text and "north-1.learner-lessons partition" in text, text
    assert set(ledger.totals().values()) == {60}
    with sqlite3.connect(database) as db:
        db.execute("UPDATE lesson_minutes SET falls = 1")
    code, _, errors = run_ledger("totals", "--db", database)
    assert code == 1 and "1 records of north-1.lesson-minutes or north-1.watermarks" in errors, errors

    for argv in ([], ["--topic-prefix", "south"], ["--topic-prefix", "south", "--from-start"]):
        before = ledger.dump()
        code, _, errors = follow(ledger, *argv)
        assert code == 1 and str(database) in errors and "'north-1'" in errors, errors
        assert (f"'{argv[1]}'" if argv else "'minuted'") in errors and ledger.dump() == before, errors
    other = Ledger(tmp_path / "other.db", brokers, catalog)
    code, _, errors = follow(other, "--topic-prefix", "south")
    assert code == 1 and "event=topic_missing topic=south.learner-lessons" in errors, errors


@pytest.mark.parametrize("prefix", ["", "a b", "a/b", "ä", "a" * 65])
def test_a_prefix_is_an_id(tmp_path, prefix):
    code, _, errors = run_ledger("follow", "--brokers", "127.0.0.1:1", "--db", tmp_path / "ledger.db",
                                 "--topic-prefix", prefix)
    assert code == 2 and "--topic-prefix" in errors and "letters" in errors, errors
    assert not (tmp_path / "ledger.db").exists()


# --- another topic --------------------------------------------------------------------------------

def assert_goes_on_from_start(ledger, had, found):
    """--from-start keeps what the ledger has, and reads the other topic from its beginning."""
    code, _, errors = follow(ledger, "--from-start")
    assert code == 0 and "another_" in errors, errors
    assert rows(ledger, "learner_minutes") == had + found
    code, _, errors = follow(ledger)
    assert code == 0 and "another_" not in errors, errors
    ledger.totals()


@pytest.mark.parametrize("topic", [LEARNER_MINUTES, LEARNER_LESSONS])
def test_a_topic_made_again_with_more_records(topics, ledger, topic):
    publish(topics.brokers, [r for r in learners("old", 1000) if r[0] == topic])
    assert follow(ledger)[0] == 0 and rows(ledger, topic.removeprefix("minuted.").replace("-", "_")) == 1000
    create_again(topics, topic)
    publish(topics.brokers, [r for r in learners("new", 2500) if r[0] == topic])
    for _ in range(2):
        assert_stops(ledger, "event=another_topic", topic, "partition=", "offset", "--from-start", "a new database")
    assert follow(ledger, "--from-start")[0] == 0
    assert rows(ledger, topic.removeprefix("minuted.").replace("-", "_")) == 3500
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith("0 records stored"), output + errors


def test_a_topic_made_again_with_the_same_learners(topics, ledger):
    """As a republication writes it: each record once, in another order."""
    publish(topics.brokers, learners("some", 300) + learners("some", 300))
    assert follow(ledger)[0] == 0
    create_again(topics, *TOPICS)
    publish(topics.brokers, learners("some", 300)[::-1] * 3)
    assert_stops(ledger, "event=another_topic", LEARNER_MINUTES, LEARNER_LESSONS)
    assert_goes_on_from_start(ledger, 0, 300)


def test_a_topic_made_again_with_fewer_records(topics, ledger):
    publish(topics.brokers, learners("old", 100))
    assert follow(ledger)[0] == 0
    create_again(topics, *TOPICS)
    publish(topics.brokers, learners("new", 7))
    assert_stops(ledger, "event=another_topic", LEARNER_MINUTES, "it ends at offset")
    assert_goes_on_from_start(ledger, 100, 7)


def test_a_topic_made_again_with_fewer_partitions(topics, ledger):
    publish(topics.brokers, learners("old", 100))
    assert follow(ledger)[0] == 0
    create_again(topics, *TOPICS, partitions=1)
    publish(topics.brokers, learners("new", 500))
    assert_stops(ledger, "event=another_topic", LEARNER_MINUTES, "it has 1 partitions, but 2 were read before")
    assert_goes_on_from_start(ledger, 100, 500)


def test_a_topic_made_again_while_it_is_followed(topics, ledger, tmp_path):
    """The follower sees nothing of it: it stands still meanwhile, and its offset is one that the new topic has."""
    publish(topics.brokers, learners("old", 200))
    with following(ledger, tmp_path) as service:
        wait_until(lambda: ledger.database.exists() and rows(ledger, "learner_lessons") == 200, "it is read")
        wait_until(lambda: all(checked == at for _, _, at, _, checked, _ in ledger.dump()["offsets"]), "it was compared")
        service.signal(signal.SIGSTOP)
        create_again(topics, *TOPICS)
        publish(topics.brokers, learners("new", 1000))
        service.signal(signal.SIGCONT)
        assert service.wait_exit() == 1, service.log_text()
        assert "event=another_topic" in service.log_text() or "event=topic_error" in service.log_text()
    assert_stops(ledger, "event=another_topic", LEARNER_MINUTES)
    assert follow(ledger, "--from-start")[0] == 0
    assert rows(ledger, "learner_minutes") == 1200


def test_topics_of_another_cluster(topics, ledger, cleaning_kafka):
    publish(topics.brokers, learners("old", 20))
    assert follow(ledger)[0] == 0
    create(cleaning_kafka.delete_topics(), *TOPICS, **{"retention.ms": "-1"})
    ledger.brokers = cleaning_kafka.brokers
    assert_stops(ledger, "event=another_cluster", KafkaBroker.cluster_id, CleaningKafka.cluster_id, "--from-start")
    publish(cleaning_kafka.brokers, learners("new", 30))
    assert_goes_on_from_start(ledger, 20, 30)


# --- what Kafka deletes ---------------------------------------------------------------------------

def alter(kafka, topic, **config):
    for future in kafka.admin.alter_configs([ConfigResource("topic", topic, set_config=config)]).values():
        future.result()


def low_offsets(kafka, topic):
    reader = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "low", "log_level": 0})
    try:
        return [reader.get_watermark_offsets(TopicPartition(topic, p), timeout=PATIENCE_S)[0] for p in range(PARTITIONS)]
    finally:
        reader.close()


def delete_by_age(kafka, topic):
    """Deletes every record of TOPIC; those of the tests are years old."""
    def all_deleted():  # the marks of the last transaction may still be on their way
        ends = end_offsets(kafka.brokers, [topic])
        return low_offsets(kafka, topic) == [ends[topic, p] for p in range(PARTITIONS)]
    alter(kafka, topic, **{"cleanup.policy": "delete", "retention.ms": "1000"})
    wait_until(all_deleted, "all are deleted")
    alter(kafka, topic, **{"cleanup.policy": "delete", "retention.ms": "-1"})


@pytest.fixture
def cleaning(cleaning_kafka, tmp_path, catalog):
    create(cleaning_kafka.delete_topics(), *TOPICS, **{"retention.ms": "-1"})
    return Ledger(tmp_path / "cleaning.db", cleaning_kafka.brokers, catalog)


def test_what_was_read_may_be_deleted(cleaning, cleaning_kafka):
    """Also by age, everything up to the end, and the mark of the last transaction with it."""
    publish(cleaning_kafka.brokers, learners("old", 50))
    assert follow(cleaning)[0] == 0
    delete_by_age(cleaning_kafka, LEARNER_MINUTES)
    publish(cleaning_kafka.brokers, learners("new", 5))
    code, output, errors = follow(cleaning)
    assert code == 0 and "missed" not in errors and output.startswith("10 records stored"), output + errors


def test_what_was_deleted_before_it_was_read_is_told(cleaning, cleaning_kafka):
    publish(cleaning_kafka.brokers, learners("read", 50))
    assert follow(cleaning)[0] == 0
    publish(cleaning_kafka.brokers, learners("unread", 50))
    delete_by_age(cleaning_kafka, LEARNER_MINUTES)
    publish(cleaning_kafka.brokers, learners("new", 5))
    errors = assert_stops(cleaning, "event=records_missed", LEARNER_MINUTES, "count=", "incomplete", "--accept-missing")
    assert "another_topic" not in errors
    code, output, errors = follow(cleaning, "--accept-missing")
    assert code == 0 and "event=records_missed" in errors, errors
    assert rows(cleaning, "learner_minutes") == 55 and rows(cleaning, "learner_lessons") == 105
    code, _, errors = follow(cleaning)
    assert code == 0 and "records_missed" not in errors, errors
    assert sum(missed for _, _, _, missed, *_ in cleaning.dump()["offsets"]) >= 50


def test_a_new_ledger_begins_where_kafka_begins(cleaning, cleaning_kafka):
    publish(cleaning_kafka.brokers, learners("old", 50))
    delete_by_age(cleaning_kafka, LEARNER_MINUTES)
    publish(cleaning_kafka.brokers, learners("new", 5))
    code, _, errors = follow(cleaning)
    assert code == 0 and "level=info event=records_missed" in errors, errors
    assert rows(cleaning, "learner_minutes") == 5


def test_a_compacted_topic_is_the_same(cleaning, cleaning_kafka):
    """The records that were read last are compacted away, all of them or all but a few."""
    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
              "delete.retention.ms": "0"}
    create_again(cleaning_kafka, LEARNER_LESSONS, **config)
    publish(cleaning_kafka.brokers, [lesson_record(f"t-{i}", 60) for i in range(300)])
    assert follow(cleaning)[0] == 0
    seconds = 60
    for part in (300, 290):
        seconds += 60
        publish(cleaning_kafka.brokers, [lesson_record(f"t-{i}", seconds) for i in range(part)])

        # Kafka compacts closed segments only, and a later record in the same partition closes one.
        rollers = [lesson_record(f"roller-{i}", 1) for i in range(8)]

        def compacted():
            publish(cleaning_kafka.brokers, rollers)
            return len(read_topics(cleaning_kafka.brokers, [LEARNER_LESSONS])) <= 350
        wait_until(compacted, "compacted", every=0.5)
        code, output, errors = follow(cleaning)
        assert code == 0, errors
        assert rows(cleaning, "learner_lessons") == 308


# --- a Kafka that is away -------------------------------------------------------------------------

def test_a_kafka_that_is_away_is_waited_for(cleaning, cleaning_kafka, tmp_path):
    publish(cleaning_kafka.brokers, learners("some", 5))
    cleaning_kafka.terminate()
    with following(cleaning, tmp_path) as service:
        service.wait_log("event=kafka_unreachable")
        assert cleaning_kafka.brokers in service.log_text()
        cleaning_kafka.start()
        wait_until(lambda: rows(cleaning, "learner_minutes") == 5, "it is read")
        cleaning_kafka.terminate()
        service.wait_log("event=not_compared")
        cleaning_kafka.start()
        publish(cleaning_kafka.brokers, learners("more", 5))
        wait_until(lambda: rows(cleaning, "learner_minutes") == 10, "it is read on")
        assert service.terminate() == 0 and "another_" not in service.log_text(), service.log_text()


def test_waiting_for_kafka_can_be_ended(tmp_path, catalog):
    ledger = Ledger(tmp_path / "ledger.db", "127.0.0.1:1", catalog)
    with ThreadPoolExecutor() as pool, following(ledger, tmp_path) as service:
        other = pool.submit(follow, Ledger(tmp_path / "other.db", ledger.brokers, catalog))
        service.wait_log("refused")
        assert service.terminate() == 0, service.log_text()
        code, _, errors = other.result()
    assert code == 1 and "event=kafka_unreachable" in errors and ledger.brokers in errors


# --- what is no record ----------------------------------------------------------------------------

def test_records_that_cannot_be_are_passed_over(topics, ledger):
    greatest = (1 << 63) - 1
    topic, key, value = minute_record("forged")
    forged = [in_protobuf(*lesson_record("forged-1", greatest)), in_protobuf(*lesson_record("forged-2", greatest)),
              lesson_record("forged-3", -1), lesson_record("forged-4", 60, last_minute_start=MINUTE + 1),
              lesson_record("forged-5", 60, last_minute_start=0), (topic, key, value | {"watched_seconds": 61}),
              lesson_record("forged-6", 60, covered=[0, 40000]), lesson_record("forged-7", 60, program="another")]
    publish(topics.brokers, learners("honest", 10) + forged + learners("more", 10))
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith("40 records stored, 8 passed over; the database has 1200 seconds"), output
    assert errors.count("event=record_passed_over") == 8, errors
    for word in (f"topic={LEARNER_LESSONS} partition=", f"topic={LEARNER_MINUTES} partition=", "offset="):
        assert word in errors
    assert set(ledger.totals().values()) == {60}
    assert follow(ledger)[0] == 0


def tombstones(records):
    return [(topic, key, None) for topic, key, _ in records]


def test_tombstones_delete_what_was_read(topics, ledger, tmp_path):
    """Erased learners are gone from totals and evidence, and the topics stay the ones that were read."""
    publish(topics.brokers, learners("kept", 10) + learners("erased", 10) + [sum_record(1), *watermark_records(1)])
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith("43 records stored, 0 passed over"), output + errors
    publish(topics.brokers, tombstones(learners("erased", 10) + learners("unknown", 1) + [sum_record(1)]))
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith("23 records stored, 0 passed over; the database has 600 s"), output + errors
    assert {learner for (learner, _) in ledger.totals()} == {f"higher/kept-{i}" for i in range(10)}
    assert rows(ledger, "learner_minutes") == 10 and rows(ledger, "lesson_minutes") == 0
    publish(topics.brokers, [lesson_record("erased-1", 7), minute_record("erased-1", mask=0x7f),
                             (LEARNER_LESSONS, "no-key", None)])
    code, output, errors = follow(ledger)
    assert code == 0 and output.startswith("2 records stored, 1 passed over; the database has 607 s"), output + errors
    assert "another_topic" not in errors and rows(ledger, "learner_lessons") == 11, errors
    other = Ledger(tmp_path / "other.db", ledger.brokers, ledger.catalog)
    assert follow(other)[0] == 0
    assert other.totals() == ledger.totals() and rows(other, "learner_minutes") == 11, "who begins later reads the same"


def test_a_full_disk_ends_following_by_name(topics, ledger, tmp_path):
    """Nothing is passed over, and with room again all of it is read."""
    publish(topics.brokers, learners("some", 2000))
    service = Service(tmp_path / "full")
    service.prefix = ["/usr/bin/python3", "-c",
                      "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
                      "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); os.execv(sys.argv[1], sys.argv[1:])"]
    service.spawn([LEDGER, "follow", "--brokers", ledger.brokers, "--db", ledger.database, "--until-idle", "0.3"])
    assert service.wait_exit() == 1
    assert str(ledger.database) in service.log_text() and "record_passed_over" not in service.log_text()
    assert "I/O" in service.log_text() or "full" in service.log_text(), service.log_text()
    code, output, errors = follow(ledger)
    assert code == 0 and rows(ledger, "learner_minutes") == rows(ledger, "learner_lessons") == 2000, output + errors
