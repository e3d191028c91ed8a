"""Attacks on the video: played too fast, jumped through, played past its end."""

from harness.catalog import MINUTE_MS
from harness.player import run

from contest import attack

MINUTES_LONG = 10       # the lesson ten-minutes
LENGTH_MS = MINUTES_LONG * MINUTE_MS


def claim_minute(tab, rate, media_from_ms=0, media_ms=None):
    """The minute that passed, of which the player says RATE and how far the media came."""
    now_ms = tab.now_ms
    media_ms = (now_ms - tab.at_ms) * rate if media_ms is None else media_ms
    tab.claim(run(tab.at_ms, now_ms, media_from_ms, rate, media_from_ms + round(media_ms)))
    tab.at_ms = now_ms


@attack("16 × playback", "rate_too_high", because="over `heartbeats.max_rate`, 2.0")
def test_sixteenfold(arena):
    tab = arena.tab()
    for _ in arena.hour():
        claim_minute(tab, 16)


@attack("16 × playback called 1 ×", "media_mismatch", because="the video advanced by more than was played")
def test_sixteenfold_hidden(arena):
    tab = arena.tab()
    for _ in arena.hour():
        claim_minute(tab, 1, media_ms=16 * MINUTE_MS)


@attack("16 × playback, the video's time claimed", "ahead_of_clock",
        because="sixteen minutes of video have not passed in one")
def test_sixteenfold_as_time(arena):
    """What a player says that takes the video's position for time."""
    tab = arena.tab()
    for _ in arena.hour():
        media_ms = 16 * tab.now_ms
        tab.claim(*(run(a, min(a + 4 * MINUTE_MS, media_ms)) for a in range(tab.at_ms, media_ms, 4 * MINUTE_MS)))
        tab.at_ms = media_ms


@attack("2 × playback", because="nothing: it is allowed, an hour is an hour, and two of video are covered")
def test_twofold(arena):
    tab, media_ms = arena.tab(), 0
    for _ in arena.hour():
        before_ms = tab.at_ms
        claim_minute(tab, 2, media_ms)
        media_ms += 2 * (tab.at_ms - before_ms)
    assert arena.is_naive or 7180 <= arena.covered() <= 7200


@attack("video outpaces its rate by what is forgiven", "media_mismatch",
        because="10 % and 0.5 s are let pass for clocks that are a little off, and never covered")
def test_outpacing(arena):
    """Runs of a second, each with the half second and the tenth that are forgiven; a millisecond more is not."""
    tab = arena.tab()
    for _ in arena.hour():
        seconds = range(tab.at_ms // 1000, (tab.now_ms - 1000) // 1000)
        tab.claim(*(run(s * 1000, s * 1000 + 1000, s * 1600, 1, s * 1600 + 1600) for s in seconds),
                  run(tab.at_ms, tab.at_ms + 1000, 0, 1, 1601))
        tab.at_ms = seconds[-1] * 1000 + 1000
    assert arena.is_naive or 0 < arena.covered() <= arena.credited()


@attack("seek to the end, and say so", "media_mismatch", because="a seek is not watching")
def test_seek(arena):
    """A ten-minute video in ten seconds, six times a minute."""
    tab = arena.tab("ten-minutes")
    for _ in arena.hour():
        starts = range(tab.at_ms, tab.now_ms - 10_000, 10_000)
        tab.claim(*(run(a, a + 10_000, 0, 1, LENGTH_MS) for a in starts))
        tab.at_ms = starts[-1] + 10_000


@attack("seek to the end, and claim the video's length", "ahead_of_clock", "duplicate_seconds",
        because="ten minutes have not passed in ten seconds")
def test_seek_as_time(arena):
    tab = arena.tab("ten-minutes")
    for _ in arena.hour():
        tab.claim(*(run(a, a + LENGTH_MS, 0) for a in range(tab.now_ms - MINUTE_MS, tab.now_ms - 10_000, 10_000) if a >= 0))


@attack("video played past its end", "outside_lesson", because="a ten-minute video has ten minutes")
def test_past_the_end(arena):
    tab = arena.tab("ten-minutes")
    for _ in arena.hour():
        claim_minute(tab, 1, media_from_ms=tab.at_ms)


@attack("ten-minute video played six times", because="nothing: it is the time that passed; ten minutes are covered")
def test_again_and_again(arena):
    tab = arena.tab("ten-minutes")
    for _ in arena.hour():
        claim_minute(tab, 1, media_from_ms=tab.at_ms % (LENGTH_MS - MINUTE_MS))
    assert arena.is_naive or arena.covered() <= MINUTES_LONG * 60
