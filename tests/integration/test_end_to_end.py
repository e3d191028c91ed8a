"""The main job: whatever players send, in whatever order and however often, a second is credited once, and progress,
Redis, Kafka and the ledger all say what a model of plain sets says."""

import random
import threading

import pytest

from harness.agreement import check_no_second_twice, check_progress, check_published, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.http_client import HttpClient
from harness.ledger import Ledger
from harness.model import Model, claimed_seconds
from harness.player import Player, accepted, patiently, run
from harness.records import Merged, read_topics
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, wait_until

UNAVAILABLE = [{"status": "retry", "reason": "unavailable"}]
LESSONS = ("open-1", "open-2", "open-3", "winter-1")
SPAN_MS = 12 * MINUTE_MS


def start_daemons(new_minuted, redis, kafka, n, form="protobuf"):
    """N daemons of one deployment at the same instant."""
    changes = {"kafka": {"format": form, "deployment": "one"}}
    return [new_minuted(redis, kafka.brokers, f"minuted-{i}", changes).start(NOW_MS) for i in range(n)]


def open_sessions(rng, daemons, learners, advance):
    """Two or three tabs a learner, opened at different instants, on lessons that may be the same."""
    players, sessions = [], []
    for i in range(learners):
        player = Player(rng.choice(daemons), f"教师-{i}" if i % 2 else f"teacher {i}", rng.choice(["higher", "basic"]))
        players.append(player)
        sessions += [player.open(rng.choice(LESSONS), f"tab-{t}") for t in range(rng.randint(2, 3))]
        advance(rng.randint(0, 1500))
    return players, sessions


def random_run(rng):
    """Anything from a blink to some minutes, at any rate, within the span."""
    length = rng.choice([rng.randint(1, 1500), rng.randint(1000, 30_000), rng.randint(20_000, 200_000)])
    start = rng.randint(0, SPAN_MS - length)
    rate = rng.choice([1.0, 1.0, 1.0, 1.25, 1.5, 0.75])
    return run(start, start + length, rng.randint(0, 3_000_000), rate)


def continuous_runs(rng):
    """What a player sends that is never paused: runs that meet."""
    at, runs = rng.randint(0, 5000), []
    while at < SPAN_MS - 70_000:
        end = at + rng.randint(8_000, 60_000)
        runs.append(run(at, end))
        at = end
    return runs


def random_heartbeats(rng, sessions):
    """(session, run) in any order, many of them more than once."""
    claims = [(s, r) for s in sessions for r in continuous_runs(rng)]
    claims += [(rng.choice(sessions), random_run(rng)) for _ in range(8 * len(sessions))]
    claims += rng.choices(claims, k=len(claims) // 2)
    rng.shuffle(claims)
    return claims


def requests_of(rng, claims):
    """The claims cut into requests: single heartbeats and batches of a gateway."""
    while claims:
        n = rng.choice([1, 1, 1, 5, 40])
        yield claims[:n]
        claims = claims[n:]


def body_of(claims):
    if len(claims) == 1:
        return claims[0][0].heartbeat(claims[0][1])
    return {"heartbeats": [session.heartbeat(r) for session, r in claims]}


def send_and_compare(rng, daemons, claims, model):
    """Every answer must be the model's, second for second."""
    for part in requests_of(rng, claims):
        results, resent = results_of(rng.choice(daemons).client, part)
        for i, (session, sent) in enumerate(part):
            expected = accepted(*model.claim(session.name, session.lesson, session.anchor_ms, sent))
            assert results[i] == expected or i in resent and own_duplicates_apart(results[i]) == own_duplicates_apart(
                expected), (results[i], expected)


def results_of(client, claims):
    """Every claim's result, and which claims were sent again because the daemon could not take them at first: Redis may
    have taken them, only too late."""
    results, resent = {}, set()

    def send():
        left = [i for i in range(len(claims)) if i not in results]
        response = client.post("/v1/heartbeats", body_of([claims[i] for i in left]))
        assert response.status in (200, 503), response
        for i, result in zip(left, response.json()["results"] if response.status == 200 else UNAVAILABLE * len(left)):
            if result in UNAVAILABLE:
                resent.add(i)
            else:
                results[i] = result
        return len(results) == len(claims)
    wait_until(send, "every claim has its result")
    return results, resent


def own_duplicates_apart(result):
    """A result without telling apart what was credited now and what was credited when it was sent before."""
    return result["status"], result["credited_seconds"] + result["duplicate_seconds"], result["contested_seconds"]


@pytest.mark.parametrize("daemons_n, form, seed", [
    (1, "protobuf", 1), (1, "json", 2), (2, "protobuf", 3), (2, "json", 4), (2, "protobuf", 5)])
def test_all_agree_to_the_second(kafka, new_minuted, redis, tmp_path, catalog, daemons_n, form, seed):
    rng = random.Random(seed)
    daemons = start_daemons(new_minuted, redis, kafka, daemons_n, form)

    def advance(ms):
        for daemon in daemons:
            daemon.advance(ms)
    players, sessions = open_sessions(rng, daemons, 6, advance)
    advance(SPAN_MS)
    model = Model()
    claims = random_heartbeats(rng, sessions)
    half = len(claims) // 2
    send_and_compare(rng, daemons, claims[:half], model)
    # Some minutes are published now, and grow again afterwards.
    advance(10 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)
    send_and_compare(rng, daemons, claims[half:], model)
    check_progress(model, players)
    check_published(model, redis.client, kafka.brokers)
    check_no_second_twice(model.minutes())
    assert Ledger(tmp_path / "ledger.db", kafka.brokers, catalog).follow().totals() == model.totals()


class Tab(threading.Thread):
    """Sends its claims on a connection of its own, beside all others; repeats what was not accepted."""

    def __init__(self, daemon, claims):
        super().__init__(daemon=True)
        self.client, self.claims, self.problems = HttpClient(daemon.port), claims, []

    def run(self):
        try:
            for session, sent in self.claims:
                response = patiently(lambda: self.client.post("/v1/heartbeats", session.heartbeat(sent)))
                result = response.json()["results"][0]
                parts = [result[name] for name in ("credited_seconds", "duplicate_seconds", "contested_seconds")]
                assert sum(parts) == len(claimed_seconds(session.anchor_ms, sent)), result
        except Exception as e:  # noqa: BLE001 - told by the test
            self.problems.append(e)


def send_at_once(daemons, claims, rng, n=8):
    tabs = [Tab(daemons[i % len(daemons)], rng.sample(claims, len(claims))) for i in range(n)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join(PATIENCE_S)
        assert not tab.problems, tab.problems


def union_of_seconds(claims):
    """learner -> every second that any of its runs claimed."""
    union = {}
    for session, sent in claims:
        union.setdefault(session.name, set()).update(claimed_seconds(session.anchor_ms, sent))
    return union


def by_learner(minutes):
    """learner -> watched seconds over all lessons, each once."""
    seconds = {}
    for (learner, _, minute), bits in minutes.items():
        seconds.setdefault(learner, set()).update(minute + bit for bit in bits)
    return seconds


@pytest.mark.parametrize("daemons_n, seed", [(1, 11), (2, 12)])
def test_tabs_at_once_on_every_daemon(kafka, new_minuted, redis, tmp_path, catalog, daemons_n, seed):
    """Eight connections send the same claims in eight orders; who wins a contested second is open, nothing else is."""
    rng = random.Random(seed)
    daemons = start_daemons(new_minuted, redis, kafka, daemons_n)
    players, sessions = open_sessions(rng, daemons, 4, daemons[0].advance)
    for daemon in daemons:
        daemon.set_clock(NOW_MS + 2 * SPAN_MS)
    claims = [(s, random_run(rng)) for s in sessions for _ in range(12)]
    send_at_once(daemons, claims, rng)
    for daemon in daemons:
        daemon.advance(10 * MINUTE_MS)
    wait_settled(redis.client)

    truth, merged = Truth(redis.client), Merged(read_topics(kafka.brokers))
    check_no_second_twice(truth.minutes)
    assert by_learner(truth.minutes) == union_of_seconds(claims)
    assert merged.minutes() == truth.minutes
    assert dict(merged.totals) == merged.totals_from_masks() == truth.totals
    assert merged.lesson_minutes == dict(truth.lesson_minutes)
    ledger = Ledger(tmp_path / "ledger.db", kafka.brokers, catalog).follow()
    assert ledger.totals() == truth.totals
    for player in players:
        total = player.progress()["total"]["watched_seconds"]
        assert total == len(union_of_seconds(claims)[f"{player.portal}/{player.learner}"])


def test_rounds_in_any_order_give_one_total(minuted, redis):
    """The same claims in twenty orders, each for a learner of its own: every learner has the same seconds."""
    rng = random.Random(21)
    players = [Player(minuted, f"teacher-{i}") for i in range(20)]
    claims = [random_run(rng) for _ in range(15)]
    sessions = [p.open("open-1") for p in players]
    minuted.advance(SPAN_MS)
    for player, session in zip(players, sessions):
        order = claims + rng.choices(claims, k=10)
        rng.shuffle(order)
        player.send(session, *order)
        expected = set()
        for sent in claims:
            expected |= set(claimed_seconds(session.anchor_ms, sent))
        assert player.progress()["total"]["watched_seconds"] == len(expected)


class Stream(threading.Thread):
    """Sends two overlapping runs for one learner after another, as fast as they are answered."""

    def __init__(self, daemon, sessions):
        super().__init__(daemon=True)
        self.client, self.sessions, self.sent, self.problems = HttpClient(daemon.port), sessions, [], []

    def run(self):
        try:
            for i, session in enumerate(self.sessions):
                start = i % 9 * MINUTE_MS
                for sent in (run(start, start + 7000), run(start + 5000, start + 12_000)):
                    response = patiently(lambda: self.client.post("/v1/heartbeats", session.heartbeat(sent)))
                    assert response.json()["results"][0]["status"] == "accepted", response
                    self.sent.append((session, sent))
        except Exception as e:  # noqa: BLE001 - told by the test
            self.problems.append(e)


def test_what_grows_between_take_and_commit_is_published_again(kafka, new_minuted, redis):
    """Late runs are due at once: thousands come while the publisher takes, commits and settles, and none may be settled
    unpublished."""
    minuted = new_minuted(redis, kafka.brokers).start(NOW_MS)
    sessions = [Player(minuted, f"teacher-{i}").open("open-1") for i in range(2000)]
    minuted.advance(10 * MINUTE_MS)
    streams = [Stream(minuted, sessions[i::4]) for i in range(4)]
    for stream in streams:
        stream.start()
    model = Model()
    for stream in streams:
        stream.join(PATIENCE_S)
        assert not stream.problems, stream.problems
        for session, sent in stream.sent:
            model.claim(session.name, "open-1", session.anchor_ms, sent)
    check_published(model, redis.client, kafka.brokers)
