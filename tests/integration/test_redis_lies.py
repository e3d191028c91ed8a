"""A Redis whose replies are broken: the connection breaks and nothing else. The daemon lives, keeps its memory small, loses
no second, and works again when Redis is honest again.
"""

import re
from pathlib import Path

import pytest

from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import SANITIZED
from harness.model import Model
from harness.player import Player, run
from harness.proxy import ProxyThread
from harness.redis_truth import Truth, is_settled
from harness.service import wait_until
from harness.spoiler import LIES, Spoiler

# On the workers' pipelines and on the connections that read progress. The publisher and the monitor ask one thing after
# the other, and a lie ends that, so that each lie is told of another one.
WORKERS = ["FCALL apply", "HGETALL"]
PUBLISHERS = ["FCALL lease", "ZRANGE", "SSCAN", "HMGET", "SMEMBERS", "FCALL watermark"]
MONITORS = ["INFO", "DISCARD", "MULTI", "permission", "CONFIG", "TIME", "FUNCTION LIST", "HGET", "FCALL probe",
            "GET", "PING"]
GREATEST_MB = 300
RUNS_MAX = 100  # that wait to be sent again


@pytest.fixture(scope="module")
def liar(shared_redis):
    thread = ProxyThread()
    yield thread.open(Spoiler, shared_redis.port)
    thread.stop()


@pytest.fixture(scope="module")
def daemon(new_shared, liar):
    minuted = new_shared(liar, changes={"redis": {"partitions": 2}, "publish": {"running_minutes": "1s"}})
    return minuted.start(NOW_MS)


def peak_mb(daemon):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{daemon.process.pid}/status").read_text())[1]) // 1024


class Learner:
    """Plays ten seconds after ten seconds, sends what was not accepted again, and looks at the progress."""

    def __init__(self, daemon, name):
        self.daemon, self.player, self.model = daemon, Player(daemon, name), Model()
        self.session = wait_until(lambda: self.player.open("open-1"), "a session")
        self.at, self.waiting = 0, []

    def play(self):
        if len(self.waiting) < RUNS_MAX:
            self.daemon.advance(10_000)
            sent = run(self.at, self.at + 10_000)
            self.model.claim(self.session.name, "open-1", self.session.anchor_ms, sent)
            self.waiting.append(sent)
            self.at += 10_000
        self.deliver()
        self.player.client.get("/v1/progress", headers={"Authorization": f"Bearer {self.player.token}"})

    def deliver(self):
        """Says whether everything is accepted."""
        if self.waiting:
            response = self.player.post_once(self.session.heartbeat(*self.waiting))
            assert response.status in (200, 503), response
            results = response.json()["results"] if response.status == 200 else []
            assert all(r["status"] in ("accepted", "retry") for r in results), results
            self.waiting = [sent for sent, r in zip(self.waiting, results or [{"status": "retry"}] * len(self.waiting))
                            if r["status"] != "accepted"]
        return not self.waiting


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_breaks_a_connection_and_nothing_else(daemon, liar, shared_redis, lie):
    learner = Learner(daemon, re.sub("[^a-z]", "-", lie))
    number = list(LIES).index(lie)
    kinds = {*WORKERS, PUBLISHERS[number % len(PUBLISHERS)], MONITORS[number % len(MONITORS)]}
    liar.begin(LIES[lie], kinds)
    liar.reset()  # what is allowed is asked for over new connections

    def play():
        learner.play()
        return not liar.kinds
    try:
        wait_until(play, "each kind of connection was lied to")
    except AssertionError as e:
        raise AssertionError(f"never asked: {liar.kinds}") from e
    liar.end()
    liar.reset()
    assert daemon.running(), daemon.log_tail()
    wait_until(learner.deliver, "everything is accepted")
    wait_until(daemon.is_ready, "ready")
    name = learner.session.name
    assert Truth(shared_redis.client).totals[name, "open-1"] == learner.model.totals()[name, "open-1"]
    assert SANITIZED or peak_mb(daemon) < GREATEST_MB


def test_all_of_it_is_published_in_the_end(daemon, shared_redis):
    daemon.advance(5 * MINUTE_MS)
    wait_until(lambda: is_settled(shared_redis.client), "all is published and settled")
