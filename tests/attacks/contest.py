"""An attack becomes a test: played against both counters, judged as a ministry would, and put on the scoreboard."""

from dataclasses import dataclass
from uuid import uuid4

from harness.catalog import NOW_MS

from arena import HONEST, HOUR_MS, Arena
from board import Row, check_page, duration, per_hour

CHAPTERS = ("timers", "playback", "parallel", "repeating", "forging", "windows", "bots", "browser")
ATTACKS = []            # as they are defined, chapter by chapter as these are loaded


@dataclass(frozen=True)
class Attack:
    name: str           # as the scoreboard says it
    stopped_by: tuple   # what minuted must have answered: reasons, statuses of HTTP, or counted seconds
    because: str        # why that stops it; for people
    order: tuple        # chapter, and place in it
    start_ms: int       # when it begins; None: soon

    @property
    def stopped(self):
        names = ", ".join(f"`{name}`" for name in self.stopped_by)
        return ": ".join(part for part in (names, self.because) if part)


def attack(name, *stopped_by, because, start_ms=None):
    """Makes a test of a function that plays the attack in an arena."""
    def decorate(play):
        chapter = CHAPTERS.index(play.__module__.removeprefix("test_"))
        spec = Attack(name, stopped_by, because, (chapter, play.__code__.co_firstlineno), start_ms)
        ATTACKS.append(spec)

        def test(contest):
            contest.play(spec, play)
        test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
        return test
    return decorate


class Contest:
    """Between MINUTED, whose clock only goes forward, and NAIVE; KEEP takes the row that comes out."""

    def __init__(self, minuted, naive, keep):
        self.minuted, self.naive, self.keep = minuted, naive, keep

    def play(self, spec, play):
        start_ms, mark, arenas = spec.start_ms or next_start(self.minuted.now_ms()), uuid4().hex[:8], []
        for counter in (self.naive, self.minuted):
            arenas.append(Arena(counter, start_ms, mark, is_naive=counter is self.naive))
            play(arenas[-1])
        judge(spec, arenas[-1])
        for arena in arenas:
            judge_honest(arena)
        self.keep(spec, row(spec, *arenas))


def next_start(now_ms):
    """The next hour, at the same millisecond of a second whatever was played before: figures shall not depend on it."""
    return NOW_MS + -(-(now_ms - NOW_MS) // HOUR_MS) * HOUR_MS


def row(spec, naive, minuted):
    seconds = minuted.passed_ms / 1000
    figures = [per_hour(arena.credited(arena.scored), seconds) for arena in (naive, minuted)]
    return Row(spec.name, duration(seconds), *figures, spec.stopped)


def judge(spec, arena):
    """No more than the time that passed, and for the reason that the scoreboard names."""
    credited = arena.credited(arena.scored)
    assert credited <= arena.seconds_passed(), f"{credited} s credited in {arena.passed_ms / 1000} s"
    missing = [name for name in spec.stopped_by if not arena.answers[name]]
    assert not missing, f"{missing} was never answered: {dict(arena.answers)}"


def judge_honest(arena):
    """Whoever watched all the time is credited all of it, to the second of each session."""
    credited, watched = arena.credited(HONEST), (arena.honest_ms + arena.honest.at_ms) / 1000
    assert abs(credited - watched) <= arena.stretches, f"{credited} s credited to the honest learner for {watched} s"
    assert abs(watched - arena.passed_ms / 1000) < 30, "the honest learner has watched from begin to end"
