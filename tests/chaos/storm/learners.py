"""Who watches, and what each of their seconds must become.

A Learner keeps the books that the verdict reads: which seconds were claimed by runs that deserve credit, which of those
were accepted, and which were only claimed by runs that deserve none.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field

from harness.model import claimed_seconds
from harness.player import platform_token

LESSONS = ("open-1", "open-2", "open-3")   # of harness/catalog.py, those that are open today


class Learner:
    def __init__(self, name, portal, honest, rng):
        self.name, self.portal, self.honest, self.rng = name, portal, honest, rng
        self.token = platform_token(name, portal, int(time.time() * 1000))
        self.sent = defaultdict(set)       # lesson -> seconds of runs that deserve credit
        self.accepted = defaultdict(set)   # lesson -> seconds of runs that were accepted
        self.credited = 0                  # seconds credited, by the answers that arrived
        self.began = time.time()

    @property
    def key(self):
        return f"{self.portal}/{self.name}"


@dataclass
class Session:
    learner: Learner
    lesson: str
    token: str
    anchor_ms: int
    opened: float   # time.monotonic() when the answer came

    def elapsed_ms(self):
        return int((time.monotonic() - self.opened) * 1000)


@dataclass
class Claim:
    """A run of a session on its way to an answer."""
    session: Session
    run: dict
    deserved: bool = True       # whether it may be credited
    tries: int = 0
    again: int = field(default=0)   # how often it is sent once more after it was accepted

    def __post_init__(self):
        if self.deserved:
            self.session.learner.sent[self.session.lesson].update(self.seconds())

    def seconds(self):
        return claimed_seconds(self.session.anchor_ms, self.run)

    def note_accepted(self, result):
        learner = self.session.learner
        learner.accepted[self.session.lesson].update(self.seconds())
        learner.credited += result["credited_seconds"]
