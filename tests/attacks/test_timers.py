"""Attacks on the clock: timers that run too fast, claims ahead of time, clocks that step."""

from harness.catalog import MINUTE_MS
from harness.player import run

from arena import RUN_MS, SLACK_MS
from contest import attack

FAST = 10
HALF_HOUR_MS = 30 * MINUTE_MS


def played(from_ms, to_ms):
    """Runs that say so, as long as they may be."""
    return [run(a, min(a + RUN_MS, to_ms)) for a in range(from_ms, to_ms, RUN_MS)]


@attack("timer tenfold accelerated", "ahead_of_clock",
        because="what has not passed cannot be claimed; kept and sent later, it is the time that passed")
def test_accelerated_timer(arena):
    """One tab whose clock runs ten times too fast, and which sends again what was not taken."""
    tab = arena.tab()
    for _ in arena.hour():
        fast_ms = tab.now_ms * FAST
        tab.claim(*played(tab.at_ms, fast_ms))
        tab.at_ms = fast_ms


@attack("timer tenfold accelerated, a new session every minute", "ahead_of_clock", "duplicate_seconds",
        because="each session begins at the server's time")
def test_accelerated_sessions(arena):
    tabs = [arena.tab()]
    for _ in arena.hour():
        tabs[-1].kept += played(0, tabs[-1].now_ms * FAST)
        for tab in tabs:
            tab.claim()
        tabs.append(arena.tab())


@attack("claims of an hour to come, every minute", "ahead_of_clock", because="it has not passed")
def test_future_claims(arena):
    """They are not sent again, so nothing of them ever comes true but what lies within the clock's slack."""
    tab = arena.tab()
    for _ in arena.hour():
        tab.claim(*played(tab.now_ms + SLACK_MS + 1000, tab.now_ms + 60 * MINUTE_MS))
        tab.kept.clear()


@attack("claims as far ahead as is let pass", "duplicate_seconds",
        because="5 s are lent once (`heartbeats.clock_slack`), and passed before the next are claimed")
def test_slack(arena):
    tab = arena.tab()
    for _ in arena.hour():
        now_ms = tab.now_ms + SLACK_MS
        tab.claim(run(now_ms - MINUTE_MS - SLACK_MS if now_ms > MINUTE_MS + SLACK_MS else 0, now_ms))
        assert arena.credited() <= arena.seconds_passed() + SLACK_MS // 1000 or arena.is_naive


@attack("server's clock set back by half an hour, the half hour claimed again", "duplicate_seconds", "ahead_of_clock",
        because="a second has one name, whenever it is claimed")
def test_clock_set_back(arena):
    """Whoever plays on meanwhile is told to send again later, and loses nothing once the clock is right."""
    before = arena.tab()
    for passed_ms in arena.hour():
        if passed_ms == HALF_HOUR_MS:
            arena.shift_clock(-HALF_HOUR_MS)
            after = arena.tab()
        if passed_ms == HALF_HOUR_MS + 20 * MINUTE_MS:
            arena.shift_clock(HALF_HOUR_MS)
        before.watch()
        if passed_ms >= HALF_HOUR_MS:
            after.watch()
