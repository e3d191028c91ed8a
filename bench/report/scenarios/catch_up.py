"""Kafka was away while a million learner-minutes were accepted. Measures how long it takes until all are in Kafka and settled.

The daemon that accepted them is ended, and another one is started with a real Kafka. So publishing is measured, and not how
long a client waits before it looks for a broker again.
"""

import time

from harness.records import TOPICS, end_offsets
from harness.service import wait_until

from ..cpu import cpu_seconds
from ..owed import count_owed_minutes, newest_owed_end, owed_keys, wait_settled
from .memory import deliver

TITLE = "Catching up with Kafka"
WHAT = ("Players watched while Kafka was away. Then a daemon with Kafka is started: how long until every minute is "
        "published and settled, and the watermark has passed the newest. Redis writes to the disk (fsync); Kafka is one "
        "broker, with one copy of each record.")

SETTLED_WITHIN_S = 300
MINUTES = 20
WATERMARK = "minuted_published_through_timestamp_seconds"


def run(bench):
    servers, redis = bench.servers, bench.servers.redis("fsync")
    players = bench.choose(200_000, 1_000_000) // MINUTES
    accepting = servers.daemon(redis, "fsync")
    deliver(bench, "accepting", accepting, redis, players, MINUTES)
    servers.end(accepting)
    redis.client.delete("minuted:publisher")  # the lease, which the killed daemon would hold for a while
    owed = owed_keys(redis.client)
    minutes, newest = count_owed_minutes(redis.client, owed), newest_owed_end(redis.client, owed)
    kafka = servers.kafka()
    bench.load.say(f"publishing {minutes:,} learner-minutes")
    publish(bench, redis, kafka, owed, newest)
    bench.facts["learner_minutes"] = minutes
    bench.facts["topics"] = {topic: size_of(kafka, topic) for topic in TOPICS}


def publish(bench, redis, kafka, owed, newest):
    before_redis = cpu_seconds(redis.process.pid)
    minuted = bench.servers.daemon(redis, "fsync", kafka)
    began = minuted.spawned
    settled = wait_settled(redis.client, owed, SETTLED_WITHIN_S)
    wait_until(lambda: minuted.metric(WATERMARK) >= newest, "the watermark has passed the newest minute", 120)
    bench.facts.update({
        "settled_s": settled - began,
        "watermark_s": time.monotonic() - began,
        "records": minuted.metric("minuted_published_records_total"),
        "transactions": minuted.metric("minuted_publish_transactions_total"),
        "daemon_cpu_s": cpu_seconds(minuted.pid),
        "redis_cpu_s": cpu_seconds(redis.process.pid) - before_redis,
    })


def size_of(kafka, topic):
    """How many records a topic has, with the markers of transactions, and how many bytes they take on the broker's disk."""
    folders = (kafka.directory / "data").glob(f"{topic}-*")
    return {"records": sum(end_offsets(kafka.brokers, [topic]).values()),
            "bytes": sum(log.stat().st_size for folder in folders for log in folder.glob("*.log"))}
