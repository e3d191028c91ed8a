"""What must come out, kept as plain sets: nothing here knows of masks, minutes or batches."""

from collections import defaultdict
from math import floor

JOIN_MS = 5  # stretches that players' rounding parts are one


class Model:
    """Seconds are given out in the order in which runs were accepted."""

    def __init__(self):
        self.owner = defaultdict(dict)      # learner -> second -> lesson
        self.media = defaultdict(list)      # (learner, lesson) -> [from, to) in media ms

    def claim(self, learner, lesson, anchor_ms, run):
        """Credits a run; returns credited, duplicate and contested seconds."""
        owner = self.owner[learner]
        seconds = claimed_seconds(anchor_ms, run)
        fresh = [s for s in seconds if s not in owner]
        duplicate = sum(1 for s in seconds if owner.get(s) == lesson)
        for second in fresh:
            owner[second] = lesson
        self.media[learner, lesson] += played_media(anchor_ms, run, fresh)
        return len(fresh), duplicate, len(seconds) - len(fresh) - duplicate

    def totals(self):
        """(learner, lesson) -> watched seconds."""
        totals = defaultdict(int)
        for learner, owner in self.owner.items():
            for lesson in owner.values():
                totals[learner, lesson] += 1
        return dict(totals)

    def minutes(self):
        """(learner, lesson, minute start) -> the set of seconds 0..59 watched in it."""
        minutes = defaultdict(set)
        for learner, owner in self.owner.items():
            for second, lesson in owner.items():
                minutes[learner, lesson, second - second % 60].add(second % 60)
        return dict(minutes)

    def lesson_minutes(self):
        """(lesson, minute start) -> (watched seconds, learners)."""
        sums = defaultdict(lambda: [0, 0])
        for (_, lesson, minute), seconds in self.minutes().items():
            sums[lesson, minute][0] += len(seconds)
            sums[lesson, minute][1] += 1
        return {key: tuple(value) for key, value in sums.items()}

    def covered(self):
        """(learner, lesson) -> whole seconds of distinct media."""
        return {key: covered_seconds(parts) for key, parts in self.media.items() if parts}


def claimed_seconds(anchor_ms, run):
    """Every whole second s with anchor + from <= 1000 s < anchor + to."""
    first = -(-(anchor_ms + run["from_ms"]) // 1000)
    end = -(-(anchor_ms + run["to_ms"]) // 1000)
    return range(first, end)


def played_media(anchor_ms, run, fresh):
    """The media of the FRESH seconds: a second's is a second long at the run's speed, which is the rate's at most."""
    start, length = anchor_ms + run["from_ms"], run["to_ms"] - run["from_ms"]
    advance = min(run["media_to_ms"] - run["media_from_ms"], floor(length * run["rate"] + 1e-6))

    def media(second):
        return run["media_from_ms"] + floor((second * 1000 - start) * (advance / length) + 0.5)
    return [(media(a), media(b)) for a, b in stretches(fresh) if media(b) > media(a)]


def stretches(seconds):
    """[first, end) of each uninterrupted stretch of sorted SECONDS."""
    result = []
    for second in seconds:
        if result and result[-1][1] == second:
            result[-1][1] = second + 1
        else:
            result.append([second, second + 1])
    return result


def covered_seconds(parts):
    """The length of the merged intervals, each end rounded down to a whole second."""
    total, end, start = 0, None, None
    for a, b in sorted(parts):
        if end is None or a > end + JOIN_MS:
            total += (end // 1000 - start // 1000) if end is not None else 0
            start, end = a, b
        end = max(end, b)
    return total + (end // 1000 - start // 1000 if end is not None else 0)
