"""Attacks on the edges: before the session, beyond its expiry, the horizon and the course's window; numbers too large."""

import json

from harness.catalog import DAY_MS, MINUTE_MS, local_ms
from harness.player import run

from arena import HOUR_MS, RUN_MS, SESSION_MS
from contest import attack

CLOSING_MS = local_ms(2023, 3, 1)       # of the course winter


@attack("claims of the hour before the session", "malformed", because="a session's time begins at 0")
def test_before_the_session(arena):
    tab = arena.tab()
    for _ in arena.hour():
        tab.claim(*(run(a, a + RUN_MS, 0) for a in range(-HOUR_MS, 0, RUN_MS)))


@attack("seven sessions hoarded for 28 hours", "too_late", because="older than `heartbeats.horizon`, a day")
def test_before_the_horizon(arena):
    """A session every four hours, all claimed at the end: what lies more than a day back is lost."""
    tabs = []
    for passed_ms in arena.span(28 * HOUR_MS, RUN_MS):
        if passed_ms % SESSION_MS == RUN_MS:
            tabs.append(arena.tab())
    for tab in tabs:
        ends_ms = min(tab.now_ms, SESSION_MS)
        tab.claim(*(run(a, min(a + RUN_MS, ends_ms)) for a in range(0, ends_ms, RUN_MS)))


@attack("a session used for five hours", "410", because="a session ends after four")
def test_expired(arena):
    tab = arena.tab()
    for _ in arena.span(5 * HOUR_MS, 5 * MINUTE_MS):
        tab.watch()


@attack("a course that closes half-way", "lesson_closed", "403", because="judged at the second that is claimed",
        start_ms=CLOSING_MS - HOUR_MS // 2)
def test_closing(arena):
    tab, client = arena.tab("winter-1"), arena.client
    for _ in arena.hour():
        tab.watch()
        arena.try_tab(client.token, "winter-1")


HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 60_000, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64 + 60_000, 10**30)
WORDS = ("NaN", "Infinity", "-Infinity", "1e999", "0x3c", "1e300", "-0.5", "\"60000\"", "[60000]", "true", "")


def huge_runs():
    minute = run(0, MINUTE_MS)
    yield run(0, RUN_MS + 1)
    for number in HUGE:
        yield {**minute, "to_ms": number, "media_to_ms": number}
        yield {**minute, "from_ms": -number}
        yield {**minute, "from_ms": number, "to_ms": number + MINUTE_MS}
        yield {**minute, "media_to_ms": number}
        yield {**minute, "rate": float(number)}


@attack("huge, negative and broken numbers", "malformed", "too_long", "session_expired", "media_mismatch", "rate_too_high",
        "400", because="numbers from 0 to 2^53, or refused")
def test_numbers(arena):
    """Also such as would be a minute if they wrapped around; and what is no JSON or no number at all."""
    tab = arena.tab()
    for _ in arena.hour():
        tab.claim(*huge_runs())
    for field in run(0, MINUTE_MS):
        for word in WORDS:
            heartbeat = json.dumps(tab.session.heartbeat({**run(0, MINUTE_MS), field: "?"}))
            arena.post(heartbeat.replace('"?"', word).encode())
