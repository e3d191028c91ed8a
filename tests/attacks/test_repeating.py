"""Attacks by repetition: replays, gateways that duplicate, claims cut small or laid over each other."""

import random

from harness.catalog import MINUTE_MS
from harness.player import run

from arena import RUN_MS
from contest import attack

TIMES = 20


@attack("every heartbeat sent twenty times", "duplicate_seconds", because="a second is credited once")
def test_replay(arena):
    tab = arena.tab()
    for _ in arena.hour(5 * MINUTE_MS):
        played = tab.next_run()
        for _ in range(TIMES):
            tab.claim(played)


@attack("an hour's heartbeats replayed twenty times at its end", "duplicate_seconds",
        because="also later, and in another order")
def test_late_replay(arena):
    tab, said, rng = arena.tab(), [], random.Random(7)
    for passed_ms in arena.hour():
        said.append(tab.next_run())
        tab.claim(said[-1])
        if passed_ms % MINUTE_MS:
            for _ in range(TIMES - 1):
                tab.claim(*rng.sample(said, len(said)))


@attack("a gateway that delivers everything twenty times", "duplicate_seconds",
        because="batches are judged run by run")
def test_gateway(arena):
    """In one batch and in several, in every order."""
    tab, rng = arena.tab(), random.Random(8)
    for _ in arena.hour():
        minute = tab.next_run()
        heartbeat = tab.session.heartbeat(minute)
        half = tab.session.heartbeat(run(minute["from_ms"] + 30_000, minute["to_ms"]))
        batch = [heartbeat] * (TIMES - 2) + [half] * 4
        rng.shuffle(batch)
        arena.post_batch(batch)


@attack("runs of ten minutes, one ends every second", "duplicate_seconds", because="what overlaps adds nothing")
def test_overlapping(arena):
    tab = arena.tab()
    for _ in arena.hour():
        ends = range(tab.at_ms + 1000, tab.now_ms + 1, 1000)
        tab.claim(*(run(max(0, end - RUN_MS), end) for end in ends), tab.next_run())


@attack("thousands of runs of a millisecond, none on a second", "accepted",
        because="with 0 s: a run is credited the seconds that begin in it, and nothing is rounded up")
def test_tiny_runs(arena):
    tab = arena.tab()
    for _ in arena.hour():
        starts = [ms for ms in range(tab.at_ms, tab.now_ms, 239) if (tab.session.anchor_ms + ms) % 1000 != 0]
        tab.claim(*(run(ms, ms + 1) for ms in starts))
        tab.at_ms = tab.now_ms


@attack("a run of a millisecond on every second",
        because="nothing is gained: the seconds passed, and might have been claimed whole")
def test_tiny_runs_on_seconds(arena):
    """3.6 seconds of playing, cut so that each of 3,600 seconds begins in one: no more than an hour in an hour."""
    tab = arena.tab()
    for _ in arena.hour():
        first = tab.at_ms + -(tab.session.anchor_ms + tab.at_ms) % 1000
        tab.claim(*(run(ms, ms + 1) for ms in range(first, tab.now_ms, 1000)))
        tab.at_ms = tab.now_ms
