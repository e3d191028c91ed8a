"""Kafka away for an hour of the injected clock, while learners go on watching.

What is measured is printed: the daemon's and Redis's memory, how fast the backlog is caught up with, and how long
heartbeats take meanwhile. MINUTED_AWAY_LEARNERS says how many watch, 1000 unless told.
"""

import itertools
import os
import threading
import time

import pytest

from harness.agreement import check_no_second_twice, wait_settled
from harness.catalog import MINUTE_MS
from harness.daemon import SANITIZED
from harness.http_client import HttpClient
from harness.model import Model
from harness.player import Player, patiently, run
from harness.process import WallClock, memory
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, Merged, bits, learner_of, read_topics, watermarks
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, wait_until

# A sanitized daemon goes the same ways with fewer learners, whose records are still more than a transaction takes.
LEARNERS = int(os.environ.get("MINUTED_AWAY_LEARNERS", "400" if SANITIZED else "1000"))
STEP_MINUTES = 5
AWAY_MINUTES = 60
PROBES_MIN = 300            # heartbeats that tell of a quiet time
RUNS_MAX = 256              # of a request
BACKLOG_RATE = 10           # times the live rate, at the least
P99_LIMIT_S = 1.0           # heartbeats are admitted while the oldest run waits no longer
P99_TIMES = 20              # as long as in quiet times, where the machine itself is slower than that
DAEMON_GROWTH = 32 << 20    # bytes: a transaction in hand, and nothing of the backlog
REDIS_PER_MINUTE = 150      # bytes a learner's minute, while it waits for Kafka


class Population:
    """Learners who all watch every minute, and what must come out for them: seconds as [first, end)."""

    def __init__(self, minuted, n):
        self.minuted, self.client = minuted, minuted.client
        self.sessions = [Player(minuted, f"teacher-{i}").open("open-1") for i in range(n)]
        self.watched_ms = 0

    def watch(self, minutes):
        """MINUTES more of everybody, one run a minute, sent as a gateway does: many learners in a request."""
        starts = [self.watched_ms + i * MINUTE_MS for i in range(minutes)]
        self.minuted.advance(minutes * MINUTE_MS)
        self.watched_ms += minutes * MINUTE_MS
        runs = [run(start, start + MINUTE_MS) for start in starts]
        size = min(RUNS_MAX // minutes, 48)  # of a session's token, 64 KiB hold no more
        for at in range(0, len(self.sessions), size):
            some = self.sessions[at:at + size]
            body = {"heartbeats": [s.heartbeat(*runs) for s in some]}
            wait_until(lambda: self._accepted(body, len(some) * minutes), "all of it is accepted")

    def _accepted(self, body, n):
        """Whether all N runs are accepted now; what is refused for the moment is sent again."""
        response = self.client.post("/v1/heartbeats", body)
        results = response.json()["results"] if response.status == 200 else []
        return len(results) == n and all(r["status"] == "accepted" for r in results)

    def masks(self):
        """(learner, lesson, minute start) -> mask, worked out from the first and the last second alone."""
        masks = {}
        for session in self.sessions:
            first = -(-session.anchor_ms // 1000)
            end = -(-(session.anchor_ms + self.watched_ms) // 1000)
            for minute in range(first - first % 60, end, 60):
                low, high = max(first - minute, 0), min(end - minute, 60)
                masks[session.name, "open-1", minute] = (1 << high) - (1 << low)
        return masks


class Prober(threading.Thread):
    """Sends heartbeats of one second all the while and times them: the last minute of many learners, and again."""

    def __init__(self, minuted, name, learners):
        super().__init__(daemon=True)
        self.sessions = [Player(minuted, f"{name}-{i}").open("open-2") for i in range(learners)]
        self.client, self.model, self.claims = HttpClient(minuted.port), Model(), None
        self.ending, self.seconds, self.problem = threading.Event(), [], None

    def begin(self, now_ms):
        """NOW_MS since its sessions were opened."""
        starts = range(now_ms - MINUTE_MS, now_ms, 1000)
        self.claims = itertools.cycle([(s, run(at, at + 1000)) for at in starts for s in self.sessions])
        self.start()
        return self

    def run(self):
        try:
            while not self.ending.wait(0.002):
                self._beat(*next(self.claims))
        except Exception as e:  # noqa: BLE001 - told by finish()
            self.problem = e

    def _beat(self, session, sent):
        began = time.monotonic()
        response = patiently(lambda: self.client.post("/v1/heartbeats", session.heartbeat(sent)))
        self.seconds.append(time.monotonic() - began)
        assert response.status == 200, response
        assert response.json()["results"][0]["status"] == "accepted", response
        self.model.claim(session.name, "open-2", session.anchor_ms, sent)

    def finish(self):
        self.ending.set()
        self.join(PATIENCE_S)
        assert self.problem is None, self.problem
        return self

    def p99(self):
        return sorted(self.seconds)[len(self.seconds) * 99 // 100]

    def __str__(self):
        ordered = sorted(self.seconds)
        return (f"{len(ordered)} heartbeats, p50 {ordered[len(ordered) // 2] * 1e3:.1f} ms, "
                f"p99 {self.p99() * 1e3:.1f} ms, longest {ordered[-1] * 1e3:.1f} ms")


class Backlog:
    """Follows the daemon catching up: how fast, and that the watermark never runs ahead of it."""

    def __init__(self, minuted, redis_client):
        self.minuted, self.redis = minuted, redis_client
        self.published_before = self.published()
        self.through_before = self.through()
        self.due_keys = []

    def published(self):
        return self.minuted.metric("minuted_published_learner_masks_total")

    def through(self):
        return self.minuted.metric("minuted_published_through_timestamp_seconds")

    def oldest_due(self):
        """The first minute, in Unix seconds, of which something waits for Kafka."""
        self.due_keys = self.due_keys or list(self.redis.scan_iter(match="minuted:*:due", count=1000))
        minutes = [int(minute) for key in self.due_keys for minute in self.redis.zrange(key, 0, -1)]
        return min(minutes, default=None)

    def check_watermark(self):
        through, oldest = self.through(), self.oldest_due()
        assert oldest is None or through <= oldest * 60, f"published through {through}, but {oldest * 60} is not"

    def follow(self, learner_minutes, seconds=10 * PATIENCE_S):
        """Until so many have been settled; returns how many a second, counted from the first."""
        wait_until(lambda: self.published() > self.published_before, "catching up begins", every=0.01)
        began, before = time.monotonic(), self.published()
        while (settled := self.published()) - self.published_before < learner_minutes:
            self.check_watermark()
            assert time.monotonic() - began < seconds, f"{settled - before} settled in {seconds} s"
            time.sleep(0.05)  # sleeps: it looks again and again
        return (settled - before) / (time.monotonic() - began)


def check_agreement(population, probers, redis_client, brokers):
    """The population's masks and the probers' model against Redis, Kafka merged, and the last record of each key."""
    expected, totals = population.masks(), {}
    for prober in probers:
        for key, seconds in prober.model.minutes().items():
            expected[key] = sum(1 << s for s in seconds)
    for (learner, lesson, _), mask in expected.items():
        totals[learner, lesson] = totals.get((learner, lesson), 0) + mask.bit_count()
    truth = Truth(redis_client)
    assert truth.minutes == {key: bits(mask) for key, mask in expected.items()}
    assert truth.totals == totals
    check_no_second_twice(truth.minutes)
    merged = Merged(read_topics(brokers))
    assert dict(merged.masks) == expected
    assert dict(merged.totals) == totals
    assert {(learner_of(r.value), r.value["lesson_id"]): r.value["watched_seconds"]
            for r in merged.of_last(LEARNER_LESSONS)} == totals
    assert {(learner_of(r.value), r.value["lesson_id"], r.value["minute_start"]): r.value["seconds_mask"]
            for r in merged.of_last(LEARNER_MINUTES)} == expected
    assert sum(seconds for seconds, _ in merged.lesson_minutes.values()) == sum(totals.values())
    return merged


def published_through(records):
    return [value["published_through"] for value in watermarks(records)]


def settled_before(minuted, ms):
    """Whether all is published that was due a moment before MS on the daemon's clock."""
    through = minuted.metric("minuted_published_through_timestamp_seconds")
    return through >= (ms - 3 * MINUTE_MS) / 1000


def stand_still(minuted, population, backlog):
    """The hour: nothing reaches Kafka, and the daemon's memory does not care. Returns its growth."""
    before, grown = memory(minuted.process.pid), 0
    for _ in range(AWAY_MINUTES // STEP_MINUTES):
        population.watch(STEP_MINUTES)
        grown = max(grown, memory(minuted.process.pid) - before)
        assert backlog.through() == backlog.through_before
        assert backlog.published() == backlog.published_before
        assert minuted.is_ready()
    # What it had in hand when Kafka went away speaks of the minutes before the hour, and ends with it.
    wait_until(lambda: "event=publish_failed" in minuted.log_text(), "the transaction in hand is given up")
    return grown


@pytest.fixture
def clock(tmp_path):
    """Hours behind the machine's: minutes ahead of its own clock Kafka would refuse."""
    return WallClock(tmp_path / "clock", -3 * 60 * MINUTE_MS)


@pytest.fixture
def redis(tmp_path, services, clock):
    server = clock.give_to(RedisServer(tmp_path / "redis"))
    services.append(server)
    return server.start()


def test_kafka_away_for_an_hour(kafka, new_minuted, redis, clock):
    # In few partitions a thousand learners stand as close as a million do in sixteen: a call takes hundreds of them.
    minuted = clock.give_to(new_minuted(redis, kafka.brokers, changes={"redis": {"partitions": 2}})).start()
    began_ms = minuted.now_ms()
    population = Population(minuted, LEARNERS)
    quiet, busy = Prober(minuted, "quiet", 50), Prober(minuted, "busy", max(200, LEARNERS // 5))
    population.watch(STEP_MINUTES)
    quiet.begin(population.watched_ms)
    wait_until(lambda: settled_before(minuted, minuted.now_ms()), "what is due is published")
    wait_until(lambda: len(quiet.seconds) >= PROBES_MIN, "there are heartbeats enough to judge a quiet time by")
    quiet.finish()
    watermarks_before = published_through(read_topics(kafka.brokers))

    kafka.kill()
    backlog = Backlog(minuted, redis.client)
    used_before = redis.client.info("memory")["used_memory"]
    grown = stand_still(minuted, population, backlog)
    learner_minutes = LEARNERS * AWAY_MINUTES
    each = (redis.client.info("memory")["used_memory"] - used_before) / learner_minutes

    kafka.start()
    back = time.monotonic()
    busy.begin(population.watched_ms)
    rate = backlog.follow(learner_minutes)
    busy.finish()
    took, live = time.monotonic() - back, LEARNERS / 60
    print(f"""
{LEARNERS} learners for {AWAY_MINUTES} minutes without Kafka: {learner_minutes} learner-minutes
  memory: the daemon grew by {grown / 2 ** 20:.1f} MiB, Redis by {each:.0f} bytes a learner-minute
  caught up {took:.1f} s after Kafka was back: {rate:.0f} learner-minutes/s, {rate / live:.0f} times the live rate
  (the live rate of {rate * 60:.0f} learners)
  before:         {quiet}
  catching up:    {busy}""")
    assert SANITIZED or grown < DAEMON_GROWTH
    assert each < REDIS_PER_MINUTE
    assert rate > BACKLOG_RATE * live
    assert busy.p99() < max(P99_LIMIT_S, P99_TIMES * quiet.p99())

    minuted.advance(3 * MINUTE_MS)
    wait_settled(redis.client)
    kept = (redis.client.info("memory")["used_memory"] - used_before) / learner_minutes
    print(f"  of Redis's memory {kept:.0f} bytes a learner-minute stay until the horizon")
    assert kept < each / 2
    wait_until(lambda: settled_before(minuted, minuted.now_ms()), "the watermark has come to the present")
    merged = check_agreement(population, [quiet, busy], redis.client, kafka.brokers)
    moved = published_through(merged.records)
    assert moved[:len(watermarks_before)] == watermarks_before
    assert moved == sorted(moved)
    assert moved[-1] >= (began_ms + population.watched_ms) / 1000 - 3 * 60
