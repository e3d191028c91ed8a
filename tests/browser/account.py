"""What a learner was credited, from Redis and from GET /v1/progress, against what was really played."""

import time
from contextlib import suppress
from dataclasses import dataclass

from front import PORTAL
from harness.player import Player, watched
from harness.redis_truth import Truth
from harness.service import wait_until

PROBE_S = 0.3      # by how much the probe's clock and the SDK's may see a stretch's ends apart

CONTESTED, REFUSALS = "minuted_contested_seconds_total ", "minuted_runs_refused_total{"


@dataclass
class Row:
    """A line of the table at the end."""
    scenario: str
    played: float
    credited: int
    contested: int
    refused: int


class Account:
    def __init__(self, redis, minuted, learner):
        self.redis, self.minuted, self.learner = redis, minuted, learner
        self.began = time.monotonic()
        self.before = self.counted()
        self.retired = False      # whether minutes are so long ago that Redis has given them up

    def seconds(self):
        """lesson -> the Unix seconds that Redis holds."""
        by_lesson = {}
        for (learner, lesson, minute), seconds in Truth(self.redis.client).minutes.items():
            if learner == f"{PORTAL}/{self.learner}":
                by_lesson.setdefault(lesson, set()).update(minute + second for second in seconds)
        return by_lesson

    def totals(self):
        """lesson -> watched seconds that Redis holds; they outlive the minutes."""
        return {lesson: seconds for (learner, lesson), seconds in Truth(self.redis.client).totals.items()
                if learner == f"{PORTAL}/{self.learner}" and seconds}

    def credited(self):
        return sum(self.totals().values())

    def covered(self):
        """Seconds of the film, over all lessons."""
        return sum(seconds for (learner, _), seconds in Truth(self.redis.client).covered.items()
                   if learner == f"{PORTAL}/{self.learner}")

    def counted(self):
        """Contested seconds, and runs refused for good, of all learners of the daemon so far."""
        lines = self.minuted.admin_client.get("/metrics").body.decode().splitlines()
        sums = [sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
                for name in (CONTESTED, REFUSALS)]
        return [int(number) for number in sums]

    def progress(self):
        return watched(Player(self.minuted, self.learner, PORTAL).progress())

    def wait_credited(self, seconds, within=15):
        wait_until(lambda: self.credited() >= seconds, f"{seconds:.1f} s are credited", within, 0.1)

    def await_credited(self, seconds):
        """Gives up in silence: what is credited then is judged with its figures."""
        with suppress(AssertionError):
            self.wait_credited(seconds)

    def row(self, scenario, played):
        contested, refused = (now - before for now, before in zip(self.counted(), self.before))
        return Row(scenario, played, self.credited(), contested, refused)

    def check(self, row, stretches, refused=0, lost=0.0):
        """The row itself, that every source says so, and that no second stands twice or has not passed yet."""
        assert self.totals() == self.progress()
        if not self.retired:
            self.check_seconds(row)
        assert row.credited <= time.monotonic() - self.began + 1, "more is credited than time has passed"
        assert row.refused == refused, f"{row.refused} runs were refused"
        assert abs(row.played - lost - row.credited) <= stretches + PROBE_S, (
            f"{row.played:.1f} s were really played in {stretches} stretches, and {row.credited} s are credited")

    def check_seconds(self, row):
        seconds = self.seconds()
        assert {lesson: len(s) for lesson, s in seconds.items()} == self.totals()
        assert row.credited == len(set().union(*seconds.values())), "a second is credited to two lessons"
