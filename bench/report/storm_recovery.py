"""Finds in the seconds of an interrupted load when it was again as before. Pure."""

from dataclasses import dataclass
from statistics import median

CALM_S = 3  # calm seconds in a row that count as recovered
P99 = 2     # its place in a second's latency_us


@dataclass
class Recovery:
    normal_us: float | None      # the median p99 before the interruption
    unrefused_s: float | None    # from when Redis was back until no request was refused
    recovered_s: float | None    # … until p99 was at most twice the normal one


def p99(second):
    return second["latency_us"][P99] if second["latency_us"] else None


def first_calm(seconds, begin, calm):
    """The first second from BEGIN on with which CALM_S calm ones in a row begin; None if there is none."""
    for i in range(begin, len(seconds) - CALM_S + 1):
        if all(calm(second) for second in seconds[i:i + CALM_S]):
            return i
    return None


def recovery(seconds, killed_s, back_s, warmup_s=0):
    """Judges a load by its SECONDS. KILLED_S and BACK_S: when Redis was killed and back, since the load began."""
    played = [second for second in seconds if second["offered"] > 0]
    before = [p99(second) for second in played[int(warmup_s):int(killed_s)] if p99(second)]
    normal = median(before) if before else None
    begin = int(back_s)
    unrefused = first_calm(played, begin, lambda s: s["refused"] == 0 and s["failed"] == 0)
    recovered = None if normal is None else first_calm(
        played, begin, lambda s: p99(s) is not None and p99(s) <= 2 * normal and s["refused"] == 0 and s["failed"] == 0)
    return Recovery(normal, since(unrefused, back_s), since(recovered, back_s))


def since(second, back_s):
    return None if second is None else max(0.0, second - back_s)
