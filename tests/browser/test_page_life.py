"""Tabs that are hidden, frozen, closed, left, reloaded or killed: what was played until then is credited."""

import time

import pytest
from account import PROBE_S

from harness.service import wait_until

LONG = "15s"    # so that only what a page sends as it goes can have been sent


@pytest.mark.chromium
def test_hidden_tab(lesson, stage):
    """In a hidden tab, whose timers are slowed down"""
    lesson.open().play(3)
    stage.browser.hide()
    time.sleep(6)  # sleeps: the film plays on, and a hidden tab cannot be asked
    stage.browser.show(lesson.tab)
    ticks = lesson.run("return probe.hidden_ticks")[-5:]
    assert len(ticks) > 3 and all(b - a > 900 for a, b in zip(ticks, ticks[1:])), f"timers were not slowed down: {ticks}"
    lesson.finish()
    assert lesson.here()["played"] > 8
    stage.settle(lesson)


def test_two_lessons(lesson, stage):
    """Two lessons at the same time, in two tabs"""
    lesson.open().start()
    began = time.monotonic()
    other = stage.page("open-2")
    stage.browser.new_tab()
    pages = [(other.open().play(7).finish().played(), other.results())]
    stage.browser.show(lesson.tab)
    lesson.finish()
    passed = time.monotonic() - began
    pages.append((lesson.played(), lesson.results()))
    # What is played twice at a time is credited once: as much as there was of it on the clock.
    row = stage.account_for(lesson.played(), stretches=2)
    assert row.credited <= passed + 1
    assert row.contested >= 5
    assert sum(r["contested_seconds"] for _, results in pages for r in results) == row.contested
    for played, results in pages:
        told = sum(r["credited_seconds"] + r["contested_seconds"] for r in results)
        assert abs(told - played) <= 1 + PROBE_S, "a page was not told of all that it played"


def test_closed(stage):
    """The tab is closed amid an interval"""
    lesson = stage.set_up(LONG).open().play(6)
    assert not stage.front.heartbeats()
    lesson.leave()
    stage.browser.close_tab(lesson.tab)
    stage.account_for(lesson.gone())


@pytest.mark.chromium
def test_browser_quits(own_stage):
    """The browser is closed amid an interval, and opened again"""
    lesson = own_stage.set_up(LONG).open().play(6).leave()
    assert not own_stage.front.heartbeats()
    own_stage.browser.quit()
    own_stage.page("open-2").open()      # in another browser with the same profile
    own_stage.account_for(lesson.gone())


def test_navigation(stage):
    """Away to another page amid an interval"""
    lesson = stage.set_up(LONG).open().play(6).leave()
    assert not stage.front.heartbeats()
    stage.browser.goto(f"{stage.front.origin}/pages/blank.html")
    stage.account_for(lesson.gone())


def test_back(stage):
    """Away, and back by the browser's button"""
    lesson = stage.set_up(LONG).open().play(4).leave()
    stage.browser.goto(f"{stage.front.origin}/pages/blank.html")
    stage.browser.run("history.back()")
    wait_until(lambda: lesson.run("return location.pathname") == "/pages/lesson.html", "the lesson is back")
    kept = lesson.wait_loaded().here()["played"] > 3
    if kept:                      # from the back/forward cache, its probe with it
        lesson.banked = 0.0
    else:
        lesson.gone()
    lesson.play(4).finish()
    stage.settle(lesson, stretches=2)


def test_reload(stage):
    """Reloaded amid an interval"""
    lesson = stage.set_up(LONG).open().play(4).leave()
    stage.browser.run("location.reload()")
    lesson.gone()
    wait_until(lambda: lesson.here()["played"] == 0, "the page has begun anew")
    lesson.wait_loaded().play(4).finish()
    stage.settle(lesson, stretches=2)


@pytest.mark.chromium
def test_frozen(stage):
    """Frozen for 4 s, as browsers do with tabs to save power"""
    lesson = stage.set_up(LONG).open().play(3)
    stage.browser.cdp("Page.setWebLifecycleState", state="frozen")
    stage.account.wait_credited(2)   # sent before it froze
    time.sleep(4)  # sleeps: the page stays frozen for so long
    stage.browser.cdp("Page.setWebLifecycleState", state="active")
    stage.browser.hide()
    stage.browser.show(lesson.tab)
    wait_until(lambda: lesson.run("return lesson.video.paused"), "the browser has paused what it froze")
    lesson.play(3).finish()
    stage.settle(lesson, stretches=2)


@pytest.mark.chromium
def test_dead_tab(own_stage):
    """A tab that dies with its runs unsent: the next page delivers them"""
    lesson = own_stage.set_up().open()
    own_stage.front.refuse("/v1/heartbeats", 503)
    lesson.play(6).leave()
    own_stage.browser.crash_tab(lesson.tab)
    assert own_stage.account.credited() == 0
    own_stage.front.refuse_nothing()
    own_stage.page("open-2").open()
    own_stage.account_for(lesson.banked, stretches=2)
