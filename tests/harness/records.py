"""Reads minuted's topics with a plain consumer, as any other service would, and merges the records."""

import importlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from confluent_kafka import Consumer, KafkaError, TopicPartition

from .daemon import ROOT
from .kafka_broker import TOPICS
from .service import PATIENCE_S

LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, WATERMARKS = TOPICS
MESSAGES = {LEARNER_LESSONS: "LearnerLesson", LEARNER_MINUTES: "LearnerMinute", LESSON_MINUTES: "LessonMinute",
            WATERMARKS: "Watermark"}


@cache
def proto(name):
    """The Python module of proto/NAME.proto, compiled afresh."""
    with tempfile.TemporaryDirectory(prefix="minuted-proto-") as out:
        subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", f"{name}.proto"], check=True)
        sys.path.insert(0, out)
        try:
            return importlib.import_module(f"{name}_pb2")
        finally:
            sys.path.remove(out)


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    key: str
    value: dict
    headers: dict
    timestamp_ms: int


def consumer(brokers, isolation="read_committed"):
    return Consumer({"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False,
                     "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "earliest",
                     "log_level": 0, "fetch.wait.max.ms": 50})


@contextmanager
def closing(made):
    try:
        yield made
    finally:
        made.close()


def partitions_of(reader, topics):
    return [TopicPartition(t, p, 0) for t in topics for p in reader.list_topics(t, timeout=PATIENCE_S).topics[t].partitions]


def end_offsets(brokers, topics=TOPICS):
    """(topic, partition) -> its end, whether committed or not."""
    with closing(consumer(brokers, "read_uncommitted")) as reader:
        return {(p.topic, p.partition): reader.get_watermark_offsets(p, timeout=PATIENCE_S)[1]
                for p in partitions_of(reader, topics)}


def read_topics(brokers, topics=TOPICS):
    """Every committed record there is now, in order within each partition.

    A transaction's commit is answered before its markers stand in every partition, so the ends are asked for first and
    reading goes on until they are reached.
    """
    ends = end_offsets(brokers, topics)
    with closing(consumer(brokers)) as reader:
        reader.assign(partitions_of(reader, topics))
        return list(_read_to(reader, ends))


def _read_to(reader, ends):
    ends = dict(ends)
    while ends:
        message = reader.poll(20)
        assert message is not None, f"Kafka gives nothing more and no end: {ends}"
        if message.error() is None:
            yield decode(message)
        elif message.error().code() != KafkaError._PARTITION_EOF:
            raise AssertionError(message.error())
        elif message.offset() >= ends.get((message.topic(), message.partition()), 0):
            ends.pop((message.topic(), message.partition()), None)


def decode(message):
    headers = {name: value.decode() for name, value in message.headers() or []}
    content_type = headers["content-type"]
    topic = f"minuted.{message.topic().rpartition('.')[2]}"  # as if its prefix were the usual one
    if content_type == "application/json":
        value = json.loads(message.value())
        if "seconds_mask" in value:
            assert len(value["seconds_mask"]) == 15, value
            value["seconds_mask"] = int(value["seconds_mask"], 16)
    else:
        assert content_type == "application/protobuf", content_type
        parsed = getattr(proto("records"), MESSAGES[topic]).FromString(message.value())
        value = {field.name: v if isinstance(v, (str, int)) else list(v) for field, v in parsed.ListFields()}
    return Record(topic, message.partition(), message.offset(), message.key().decode(), value, headers,
                  message.timestamp()[1])


class Merged:
    """The records of all topics, merged by OR and by the greatest; and the last one of each key."""

    def __init__(self, records):
        self.records = records
        self.last = {}
        self.masks = defaultdict(int)        # (learner, lesson, minute start) -> mask
        self.greatest = {}                   # (learner, lesson) -> the record with the greatest epoch and seconds
        self.lesson_minutes = {}             # (lesson, minute start) -> (watched seconds, learners)
        self.watermark = {}
        self.epochs = {}                     # Redis's partition -> the greatest (epoch, taken)
        for record in records:
            self.last[record.topic, record.key] = record
            self._merge(record.topic, record.value)
        self.totals = {key: value["watched_seconds"] for key, value in self.greatest.items()}
        self.covered = {key: value["covered_seconds"] for key, value in self.greatest.items()}

    def _merge(self, topic, value):
        if topic == LEARNER_MINUTES:
            self.masks[learner_of(value), value["lesson_id"], value["minute_start"]] |= value["seconds_mask"]
        elif topic == LEARNER_LESSONS:
            key = learner_of(value), value["lesson_id"]
            self.greatest[key] = max(self.greatest.get(key, value), value, key=rank)
        elif topic == LESSON_MINUTES:
            key, sums = (value["lesson_id"], value["minute_start"]), (value["watched_seconds"], value["learners"])
            self.lesson_minutes[key] = max(self.lesson_minutes.get(key, (0, 0)), sums)
        elif "partition" in value:
            partition, state = value["partition"], (value["epoch"], value["taken"])
            self.epochs[partition] = max(self.epochs.get(partition, state), state)
        else:
            for name in ("published_through", "final_through"):
                self.watermark[name] = max(self.watermark.get(name, 0), value[name])

    def minutes(self):
        return {key: bits(mask) for key, mask in self.masks.items()}

    def totals_from_masks(self):
        totals = defaultdict(int)
        for (learner, lesson, _), mask in self.masks.items():
            totals[learner, lesson] += mask.bit_count()
        return dict(totals)

    def of_last(self, topic):
        return [record for (t, _), record in self.last.items() if t == topic]


def rank(total):
    """What makes a total greater than another one."""
    return total["epoch"], total["watched_seconds"]


def watermarks(records):
    """What the deployment's watermarks say, without the states of partitions."""
    return [r.value for r in records if r.topic == WATERMARKS and "partition" not in r.value]


def learner_of(value):
    return f"{value['portal']}/{value['learner_id']}"


def bits(mask):
    return {i for i in range(64) if mask >> i & 1}


def murmur2(data):
    """Kafka's default partitioner's hash, as the Java client computes it."""
    m, r, mask = 0x5BD1E995, 24, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    for i in range(0, len(data) - len(data) % 4, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> r) * m & mask
        h = (h * m & mask) ^ k
    tail = data[len(data) - len(data) % 4:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
