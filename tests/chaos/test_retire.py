"""Across the horizon, through real HTTP: what was retired is refused as too late, and no second is credited again."""

import os
import random
import re

from harness.agreement import check_kafka, check_last_records, check_published, wait_settled
from harness.catalog import DAY_MS, MINUTE_MS, NOW_MS
from harness.model import Model, claimed_seconds
from harness.player import Player, accepted, patiently, rejected, run
from harness.records import Merged, read_topics
from harness.redis_truth import Truth
from harness.service import wait_until

HOUR_MS = 60 * MINUTE_MS
TOO_LATE = rejected("too_late")


class Deployment:
    """Two daemons whose clocks a test moves together, up to 2 s apart."""

    def __init__(self, new_minuted, redis, horizon):
        self.redis, self.now_ms = redis, NOW_MS
        self.horizon_ms = {"24h": DAY_MS, "2h": 2 * HOUR_MS}[horizon]
        changes = {"heartbeats": {"horizon": horizon}, "kafka": {"deployment": "one"}}
        first = new_minuted(redis, changes=changes).start(NOW_MS)
        self.daemons = [first, new_minuted(redis, first.brokers(), "other", changes).start(NOW_MS)]

    def set_clock(self, now_ms, skew_ms=0):
        self.now_ms = now_ms
        for daemon, off in zip(self.daemons, (0, skew_ms)):
            daemon.set_clock(now_ms + off)

    def floors(self):
        return {key: int(self.redis.client.get(key)) for key in self.redis.client.scan_iter(match="minuted:*:floor")}

    def wait_retired(self):
        """Until every partition's floor stands at the horizon, rounded down to ten minutes."""
        wanted = (self.now_ms - self.horizon_ms) // (10 * MINUTE_MS) * 10
        wait_until(lambda: len(self.floors()) == 16 and min(self.floors().values()) >= wanted, "all is retired")


def buckets(redis):
    return {int(re.search(rb":w:(\d+)$", key)[1]) for key in redis.client.scan_iter(match="minuted:*:w:*", count=1000)}


def test_what_is_retired_is_not_credited_again(new_minuted, redis):
    """Sessions live four hours, a horizon of two: their tokens are still good when their seconds are too late."""
    deployment = Deployment(new_minuted, redis, "2h")
    first, other = deployment.daemons
    model, player = Model(), Player(first, "teacher-1")
    session, rival = player.open("open-1"), player.open("open-2", "tablet")
    early, late = run(0, 60_000), run(30 * MINUTE_MS, 31 * MINUTE_MS)
    deployment.set_clock(NOW_MS + 40 * MINUTE_MS)
    for sent in (early, late):
        assert player.send(session, sent) == [accepted(*model.claim(session.name, "open-1", session.anchor_ms, sent))]
    check_published(model, redis.client, first.brokers())

    # A minute before the horizon the bucket is there, and everything about it is known.
    deployment.set_clock(NOW_MS + 2 * HOUR_MS - MINUTE_MS)
    assert player.send(session, early) == [accepted(0, 60)]
    assert player.send(rival, early) == [accepted(0, 0, 60)]

    # Twenty minutes after it, whoever asks, whatever lesson: too late; the later run is known still.
    deployment.set_clock(NOW_MS + 2 * HOUR_MS + 20 * MINUTE_MS, 2000)
    deployment.wait_retired()
    assert min(buckets(redis)) > session.anchor_ms // (10 * MINUTE_MS)
    for daemon in deployment.daemons:
        someone = Player(daemon, "teacher-1")
        assert someone.send(session, early, late) == [TOO_LATE, accepted(0, 60)]
        assert someone.send(rival, early, late) == [TOO_LATE, accepted(0, 0, 60)]
    # The clock of one daemon stepped back: the floor holds nevertheless.
    other.set_clock(NOW_MS + HOUR_MS)
    assert Player(other, "teacher-1").send(rival, early) == [TOO_LATE]
    other.set_clock(deployment.now_ms)
    check_everything_ever_published(model, redis, first)


def test_one_spoiled_value_keeps_nothing_else_in_redis(new_minuted, redis):
    """An hour behind the horizon its bucket goes, too, but for that value; mended, it is published as if nothing had been."""
    deployment = Deployment(new_minuted, redis, "2h")
    first, model = deployment.daemons[0], Model()
    players = [Player(first, f"teacher-{i}") for i in range(4)]
    sessions = [player.open("open-1") for player in players]

    def watch(sent):
        for player, session in zip(players, sessions, strict=True):
            assert player.send(session, sent) == [accepted(*model.claim(session.name, "open-1", session.anchor_ms, sent))]

    deployment.set_clock(NOW_MS + 20_000)  # the minute still runs, and is not published yet
    watch(run(0, 15_000))
    oldest = min(buckets(redis))
    key = next(key for key in redis.client.scan_iter(match=f"minuted:*:w:{oldest}") if redis.client.hexists(key, sessions[0].name))
    value = redis.client.hget(key, sessions[0].name)
    redis.client.hset(key, sessions[0].name, "spoiled")
    deployment.set_clock(NOW_MS + 100 * MINUTE_MS)
    watch(run(90 * MINUTE_MS, 91 * MINUTE_MS))
    deployment.set_clock(NOW_MS + 3 * HOUR_MS + 20 * MINUTE_MS)
    deployment.wait_retired()
    assert redis.client.hkeys(key) == [sessions[0].name.encode()]
    assert {bucket for bucket in buckets(redis) if bucket * 10 < min(deployment.floors().values())} == {oldest}
    assert "event=learner_unreadable" in first.log_text()
    stands = first.metric("minuted_published_through_timestamp_seconds")
    assert stands <= sessions[0].anchor_ms // 1000, "what is not published holds the watermark"

    redis.client.hset(key, sessions[0].name, value)
    wait_until(lambda: not redis.client.exists(key), "it is published, and goes")
    check_everything_ever_published(model, redis, first)


def check_everything_ever_published(model, redis, daemon):
    """What is retired in Redis is in Kafka as it was; totals stay everywhere."""
    wait_settled(redis.client)
    merged = Merged(read_topics(daemon.brokers()))
    check_kafka(model, merged)
    check_last_records(model, merged)
    assert Truth(redis.client).totals == model.totals()


def test_late_runs_while_the_floor_rises(new_minuted, redis):
    """Old and new runs of several learners again and again, while the clock goes eight hours on."""
    rng = random.Random(int(os.environ.get("MINUTED_TEST_SEED", 1)))
    deployment = Deployment(new_minuted, redis, "2h")
    model, sent = Model(), []
    players = [Player(deployment.daemons[0], f"teacher-{i}") for i in range(4)]
    floors = {}
    for step in range(16):
        sessions = [p.open(rng.choice(["open-1", "open-2"]), f"tab-{rng.randint(0, 9)}") for p in players]
        deployment.set_clock(deployment.now_ms + rng.randint(20, 40) * MINUTE_MS + rng.randint(0, 30_000),
                             rng.randint(-2000, 2000))
        starts = [rng.randint(0, 15 * MINUTE_MS) for _ in sessions]
        sent += [(s, run(a, a + rng.randint(1, 90) * 1000)) for s, a in zip(sessions, starts)]
        sent = [(s, r) for s, r in sent if s.expires_ms + HOUR_MS > deployment.now_ms]  # others answer 410
        for session, claimed in rng.sample(sent, min(len(sent), 12)) + sent[-4:]:
            floors = send_one(rng.choice(deployment.daemons), deployment, model, session, claimed, floors)
        if step % 5 == 4:
            wait_until(lambda f=min(floors.values(), default=0): min(deployment.floors().values(), default=0) > f, "the floor rises")
    check_everything_ever_published(model, redis, deployment.daemons[0])
    assert min(buckets(redis)) >= min(deployment.floors().values()) // 10 > NOW_MS // (10 * MINUTE_MS)


def send_one(daemon, deployment, model, session, claimed, floors_before):
    """A run is either too late, wholly and for good reason, or credited as the model, which forgets nothing, says."""
    answer = patiently(lambda: daemon.client.post("/v1/heartbeats", session.heartbeat(claimed)))
    result, = answer.json()["results"]
    floors = deployment.floors()
    assert all(floors[key] >= floor for key, floor in floors_before.items()), "a floor has fallen"
    horizon = (deployment.now_ms + 2000 - deployment.horizon_ms) // MINUTE_MS
    seconds = claimed_seconds(session.anchor_ms, claimed)
    if result == TOO_LATE:
        assert seconds[-1] // 60 < max([horizon, *floors.values()])
        return floors
    counts = [result[name] for name in ("credited_seconds", "duplicate_seconds", "contested_seconds")]
    late = len(seconds) - sum(counts)
    assert late == 0 or seconds[late - 1] // 60 < max([horizon, *floors.values()])
    clipped = {**claimed, "from_ms": seconds[late] * 1000 - session.anchor_ms} if late else claimed
    clipped["media_from_ms"] = clipped["from_ms"]
    assert list(model.claim(session.name, session.lesson, session.anchor_ms, clipped)) == counts
    return floors


def filled(redis):
    """Something else takes most of Redis's memory: more than 80 % are used."""
    redis.client.setrange("ballast", 20_000_000, "x")
    redis.client.config_set("maxmemory", int(redis.client.info("memory")["used_memory"] * 1.15))


def wait_thought_about_retiring(redis):
    """Until the publisher has thought about retiring twice more, which raises each partition's counter: the second time,
    all it knows is of now."""
    def taken():
        return {k: int(redis.client.hget(k, "taken")) for k in redis.client.scan_iter(match="minuted:*:epoch")}
    wait_until(lambda: len(taken()) == 16, "each partition was looked at")
    before = taken()
    wait_until(lambda: all(n >= before[k] + 2 for k, n in taken().items()), "it is thought about retiring")


def test_a_full_redis_forfeits_nothing_unless_allowed(new_minuted, redis):
    """A phone was away for ten hours while something else filled Redis; each of its runs is credited."""
    minuted = new_minuted(redis, changes={"heartbeats": {"horizon": "11h"}}).start(NOW_MS)
    phone = Player(minuted, "teacher-1")
    sessions = []
    for _ in range(10):
        sessions.append(phone.open("open-1"))
        minuted.advance(HOUR_MS)
    live = phone.open("open-2")
    minuted.advance(5 * MINUTE_MS)
    assert phone.send(live, run(0, 60_000)) == [accepted(60)]
    wait_settled(redis.client)
    filled(redis)
    wait_thought_about_retiring(redis)
    runs = [run(i * 600_000, i * 600_000 + 60_000) for i in range(6)]
    for session in sessions:
        assert phone.send(session, *runs) == [accepted(60)] * 6
    assert minuted.metric("minuted_early_minutes_total") == minuted.metric("minuted_forfeited_seconds_total") == 0


def test_what_early_retirement_forfeits_is_counted(new_minuted, redis):
    """It is allowed, and minuted's own minutes fill Redis: those of eight hours ago go, those of five are spared."""
    minuted = new_minuted(redis, changes={"redis": {"early_retire": "6h"}}).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    old = player.open("open-1")
    minuted.advance(3 * HOUR_MS)
    young = player.open("open-1")
    minuted.advance(5 * HOUR_MS)
    for session in (old, young):
        assert player.send(session, run(0, 60_000)) == [accepted(60)]
    wait_settled(redis.client)
    for key in redis.client.scan_iter(match="minuted:*:w:*"):
        redis.client.hset(key, "weight", bytes(100_000))
    filled(redis)
    wait_until(lambda: minuted.metric("minuted_early_minutes_total") > 0, "minutes are given up")
    wait_thought_about_retiring(redis)
    minuted.wait_log("event=retired_early")
    first_minute = NOW_MS // MINUTE_MS
    assert player.send(old, run(60_000, 120_000)) == [TOO_LATE]
    assert player.send(young, run(60_000, 120_000)) == [accepted(60)]
    assert minuted.metric("minuted_forfeited_seconds_total") == 60
    horizon = (NOW_MS + 8 * HOUR_MS - DAY_MS) // MINUTE_MS
    assert 0 < minuted.metric("minuted_early_minutes_total") <= first_minute + 10 - horizon
