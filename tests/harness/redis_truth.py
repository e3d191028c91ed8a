"""What Redis holds, read from its keys as daemon/store/functions.lua lays them out."""

import re
import struct
from collections import defaultdict

KEY = re.compile(rb"minuted:\{[^}]*\}:(.+)")


class Truth:
    def __init__(self, client):
        self.minutes = {}                      # (learner, lesson, minute start) -> set of seconds
        self.totals = {}                       # (learner, lesson) -> watched seconds
        self.covered = {}                      # (learner, lesson) -> covered seconds
        self.lesson_minutes = defaultdict(lambda: (0, 0))
        self.dirty = set()                     # keys of what is not yet acknowledged by Kafka
        for key in client.scan_iter(match="minuted:*", count=1000):
            part = KEY.fullmatch(key)
            if part:
                self._read(client, key, part[1].decode())

    def _read(self, client, key, name):
        kind, _, rest = name.partition(":")
        if kind == "w":
            for learner, value in client.hgetall(key).items():
                self._read_masks(learner.decode(), int(rest), value)
        elif kind == "t":
            for lesson, value in client.hgetall(key).items():
                self.totals[rest, lesson.decode()] = struct.unpack_from("<I", value, 1)[0]
                self.covered[rest, lesson.decode()] = covered_seconds(value)
        elif kind == "l":
            for lesson, value in client.hgetall(key).items():
                seconds, learners = struct.unpack_from("<II", value, 1)
                old = self.lesson_minutes[lesson.decode(), int(rest) * 60]
                self.lesson_minutes[lesson.decode(), int(rest) * 60] = (old[0] + seconds, old[1] + learners)
        elif kind in ("d", "ld"):
            self.dirty.add(name)

    def _read_masks(self, learner, bucket, value):
        assert value[0] == 1, value[:1]
        at = 1
        while at < len(value):
            lesson = value[at + 1:at + 1 + value[at]].decode()
            at += 1 + value[at]
            for slot in range(10):
                low, high = struct.unpack_from("<II", value, at + slot * 8)
                mask = low | high << 30
                if mask:
                    minute = (bucket * 10 + slot) * 60
                    self.minutes[learner, lesson, minute] = {i for i in range(60) if mask >> i & 1}
            at += 80


def covered_seconds(total):
    """The length of the merged media intervals, each end rounded down."""
    ends = struct.iter_unpack("<II", total[10 + total[9]:])
    return sum(to // 1000 - start // 1000 for start, to in ends)


def is_settled(client):
    """Whether everything that was accepted has been published."""
    for key in client.scan_iter(match="minuted:*", count=1000):
        part = KEY.fullmatch(key)
        if part and (part[1].startswith(b"d:") or part[1] in (b"ld", b"due")):
            return False
    return True
