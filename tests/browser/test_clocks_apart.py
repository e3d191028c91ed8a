"""Clocks that jump, stand still or expire: nothing is claimed for time in which nothing was played."""

import time

import pytest

SLEEP_S = 600
EXPIRED_S = 29 * 3600         # beyond a session's four hours and the horizon's day
PUT_WALL_CLOCK = "const real = Date.now, ahead = 1000 * arguments[0]; Date.now = () => real.call(Date) + ahead;"


def middle(seconds, began, ended):
    """Those that lie well within, apart from the ends of what was played before and after."""
    return [s for s in seconds if began + 2 < s < ended - 2]


def test_wall_clock(lesson, stage):
    """The clock is put an hour ahead, and two hours back"""
    lesson.open().play(3)
    lesson.run(PUT_WALL_CLOCK, 3600)
    lesson.play(3)
    lesson.run(PUT_WALL_CLOCK, -7200)
    lesson.play(3).finish()
    stage.settle(lesson, stretches=3)


def test_sleep(own_stage):
    """A laptop that slept for ten minutes, whose page's clock stood still"""
    lesson = own_stage.set_up().open().play(3)
    fell_asleep = time.time()
    own_stage.minuted.advance(SLEEP_S * 1000)
    lesson.run(PUT_WALL_CLOCK, SLEEP_S)
    lesson.play(3).finish()
    own_stage.settle(lesson, stretches=2)
    assert middle(own_stage.account.seconds()["open-1"], fell_asleep, fell_asleep + SLEEP_S) == []


def test_sleep_unnoticed(own_stage):
    """The same, where only the daemon's answers show it"""
    lesson = own_stage.set_up().open().play(3)
    fell_asleep = time.time()
    own_stage.minuted.advance(SLEEP_S * 1000)
    lesson.play(5).finish()
    own_stage.settle(lesson, stretches=2)
    seconds = own_stage.account.seconds()["open-1"]
    assert len(middle(seconds, fell_asleep, fell_asleep + SLEEP_S)) <= 2, "more than what was sent before the answer"
    assert lesson.sessions() == 2


@pytest.mark.chromium
def test_lid(own_stage):
    """The lid is closed for 6 s, and the page's clock goes on"""
    lesson = own_stage.set_up().open().play(3)
    fell_asleep = time.time()
    own_stage.browser.hold(6)
    lesson.play(3).finish()
    own_stage.settle(lesson, stretches=2)
    assert middle(own_stage.account.seconds()["open-1"], fell_asleep, fell_asleep + 6) == []


def test_expired(own_stage):
    """The session expires while playing: 410"""
    lesson = own_stage.set_up().open().play(3)
    own_stage.minuted.advance(EXPIRED_S * 1000)
    own_stage.account.retired = True
    lesson.play(5).finish()
    # What was played on the expired session until the next one came is gone: one run, or more on a busy machine, where the
    # next session may take longer than an interval. A whole request is answered 410, or a run alone, where it went with
    # one of the next session.
    over = [result["run"] for result in lesson.results() if result.get("reason") == "session_expired"]
    assert over
    lost = sum(run["to_ms"] - run["from_ms"] for run in over) / 1000
    own_stage.settle(lesson, stretches=2 + len(over), refused=len(over), lost=lost)
    assert lesson.sessions() == 2


def test_gone(lesson, stage):
    """Something on the way answers 410, once"""
    lesson.open().play(3)
    stage.front.refuse("/v1/heartbeats", 410, times=1)
    lesson.play(5).finish()
    stage.settle(lesson, stretches=3)
    assert len(stage.front.sessions()) == 2
