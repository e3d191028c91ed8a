"""Players who go on sending whatever becomes of the servers behind the daemon, and who forget nothing: each run is
sent until it is accepted, as an SDK does. What they were told is held against what Redis and Kafka hold."""

import threading
import time
from dataclasses import dataclass, field

from .agreement import check_no_second_twice, check_progress, check_published
from .catalog import MINUTE_MS
from .http_client import HttpClient
from .model import Model, claimed_seconds
from .player import Player, run
from .redis_truth import Truth
from .service import PATIENCE_S, wait_until

RUN_MS = 4_000
AHEAD_MINUTES = 60                              # that the daemons' clocks are ahead of the first run
WATCHED_MAX_MS = (AHEAD_MINUTES - 5) * MINUTE_MS
LESSONS = ("open-1", "open-2", "winter-1")


class Refusal(Exception):
    """An answer that no fault of Redis excuses."""


@dataclass
class Watcher:
    """One tab: sends its runs in turn on a connection of its own."""
    player: Player
    session: object
    client: HttpClient
    at_ms: int = 0
    owed: list = field(default_factory=list)      # sent at least once, not yet accepted
    accepted: list = field(default_factory=list)
    refused: int = 0                              # answers that were no acceptance

    def watch(self):
        """The next stretch is watched: from now on it is owed."""
        self.owed.append(run(self.at_ms, self.at_ms + RUN_MS))
        self.at_ms += RUN_MS

    def send(self):
        """Sends what is owed; says whether nothing is owed any more."""
        runs = self.owed[:20]
        if runs:
            self._note(runs, self._post(runs))
        return not self.owed

    def _post(self, runs):
        return self.client.post("/v1/heartbeats", self.session.heartbeat(*runs))

    def _note(self, runs, response):
        if response.status == 503:
            if int(response.headers["retry-after"]) < 1 or response.content_type != "application/problem+json":
                raise Refusal(f"a 503 that does not say when to come again: {response}")
            self.refused += 1
            return
        if response.status != 200:
            raise Refusal(f"neither 200 nor 503: {response}")
        results = response.json()["results"]
        if len(results) != len(runs):
            raise Refusal(f"{len(runs)} runs, answered by {results}")
        for sent, result in zip(runs, results):
            self._note_run(sent, result)

    def _note_run(self, sent, result):
        if result == {"status": "retry", "reason": "unavailable"}:
            self.refused += 1
            return
        parts = [result.get(name, 0) for name in ("credited_seconds", "duplicate_seconds")]
        if result["status"] != "accepted" or sum(parts) != len(claimed_seconds(self.session.anchor_ms, sent)):
            raise Refusal(f"{sent} was answered by {result}")
        self.owed.remove(sent)
        self.accepted.append(sent)


class Crowd:
    """Every watcher has a learner of their own, so no second is contested and the order of arrival says nothing."""

    def __init__(self, daemons, learners=8):
        self.daemons = daemons
        self.watchers = [self._new_watcher(daemons[i % len(daemons)], i) for i in range(learners)]
        for daemon in daemons:
            daemon.advance(AHEAD_MINUTES * MINUTE_MS)

    @staticmethod
    def _new_watcher(daemon, i):
        player = Player(daemon, f"teacher-{i}", ("higher", "basic")[i % 2])
        return Watcher(player, player.open(LESSONS[i % len(LESSONS)]), HttpClient(daemon.port))

    @property
    def refused(self):
        return sum(w.refused for w in self.watchers)

    def owed(self):
        return [r for w in self.watchers for r in w.owed]

    def play(self, seconds, every=0.05, until=lambda: True):
        """All watch and send, each in a thread of its own, for SECONDS, and on until UNTIL() is true."""
        enough, problems = threading.Event(), []

        def go_on(watcher):
            try:
                while not enough.is_set():
                    if watcher.at_ms < WATCHED_MAX_MS:
                        watcher.watch()
                    watcher.send()
                    time.sleep(every)  # sleeps: the pace at which watchers send
            except Exception as e:  # noqa: BLE001 - told below
                problems.append(f"{watcher.session.name}: {e!r}")
        threads = [threading.Thread(target=go_on, args=(w,), daemon=True) for w in self.watchers]
        for thread in threads:
            thread.start()
        time.sleep(seconds)  # sleeps: the weather lasts at least so long; what must come of it, UNTIL says
        try:
            wait_until(lambda: problems or until(), "what the crowd plays for")
        finally:
            enough.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not any(t.is_alive() for t in threads), "a request was never answered"
        assert not problems, problems

    def play_until_accepted(self, seconds=1.0):
        """A stretch of fair weather: all is accepted, though on a busy machine not always at once."""
        self.play(seconds)
        self.settle(self.watchers)

    def deliver(self, watchers=None):
        """All send once more, and what they still owe again, until nothing is owed."""
        watchers = self.watchers if watchers is None else watchers
        for watcher in watchers:
            watcher.watch()
        self.settle(watchers)

    @staticmethod
    def settle(watchers):
        """What they still owe is sent until nothing is owed; whoever refuses for good is told at once."""
        until = time.monotonic() + PATIENCE_S
        while not all([w.send() for w in watchers]):
            owed = [r for w in watchers for r in w.owed]
            assert time.monotonic() < until, f"after {PATIENCE_S} s still owed: {owed[:5]}"
            time.sleep(0.05)  # sleeps: it sends again and again

    def promised(self):
        """(learner, lesson) -> the seconds that were answered `accepted`."""
        return {(w.session.name, w.session.lesson):
                {s for r in w.accepted for s in claimed_seconds(w.session.anchor_ms, r)} for w in self.watchers}

    def check_promises(self, redis_client):
        """Whatever was accepted is in Redis, also before anything is sent again."""
        held = {}
        for (learner, lesson, minute), seconds in Truth(redis_client).minutes.items():
            held.setdefault((learner, lesson), set()).update(minute + s for s in seconds)
        for key, seconds in self.promised().items():
            lost = seconds - held.get(key, set())
            assert not lost, f"{key}: accepted and lost: {sorted(lost)}"

    def model(self):
        model = Model()
        for w in self.watchers:
            for accepted in w.accepted:
                model.claim(w.session.name, w.session.lesson, w.session.anchor_ms, accepted)
        return model

    def check_agreement(self, redis_client):
        """After the last delivery: model, progress, Redis and Kafka say the same."""
        assert not self.owed()
        model = self.model()
        check_progress(model, [w.player for w in self.watchers])
        check_published(model, redis_client, self.daemons[0].brokers())
        check_no_second_twice(model.minutes())
