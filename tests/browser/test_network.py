"""Networks and servers that fail for a while, and pages of other origins."""

import signal
import time

import pytest

from harness.service import wait_until

OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


@pytest.mark.chromium
def test_offline(lesson, stage):
    """Offline for 4 s, and online again"""
    lesson.open().play(3)
    wait_until(lambda: lesson.run("return lesson.video.buffered.end(0)") > 20, "enough of the film is loaded")
    stage.browser.cdp("Network.enable")
    stage.browser.cdp("Network.emulateNetworkConditions", **OFFLINE)
    before = stage.account.credited()
    lesson.play(4)
    assert stage.account.credited() <= before + 1
    stage.browser.cdp("Network.emulateNetworkConditions", **{**OFFLINE, "offline": False})
    lesson.play(2).finish()
    stage.settle(lesson)


def test_unavailable(own_stage):
    """Redis stands still for 10 s: 503"""
    lesson = own_stage.set_up().open().play(3)
    own_stage.house.redis.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    lesson.play(4)
    wait_until(lambda: any(sent.status == 503 for sent in own_stage.front.heartbeats()), "minuted answers 503")
    time.sleep(max(0, stopped + 10 - time.monotonic()))  # sleeps: Redis stands still for 10 s while a film plays
    own_stage.house.redis.signal(signal.SIGCONT)
    lesson.finish()
    own_stage.settle(lesson)


def test_retry_after(lesson, stage):
    """503 with Retry-After: 4, which is obeyed"""
    lesson.open().play(2)
    stage.front.refuse("/v1/heartbeats", 503, times=2, **{"Retry-After": "4"})
    lesson.play(5).finish()
    stage.settle(lesson)
    sent = stage.front.heartbeats()
    waited = [after.at - refused.at for refused, after in zip(sent, sent[1:]) if refused.status == 503]
    assert len(waited) == 2 and min(waited) >= 4


def test_other_origin(stage):
    """The daemon is of another origin, which allows the page's"""
    lesson = stage.set_up(allow_front=True)
    lesson.open(sdk=f"http://127.0.0.1:{stage.minuted.port}/v1/minuted.js").play(6).finish()
    stage.settle(lesson)
    assert stage.front.passed == [], "it went through the page's own origin"
    assert lesson.problems() == []


def test_other_origin_closed(stage):
    """The tab is closed, and the daemon is of another origin"""
    lesson = stage.set_up("15s", allow_front=True)
    lesson.open(sdk=f"http://127.0.0.1:{stage.minuted.port}/v1/minuted.js").play(6).leave()
    stage.browser.close_tab(lesson.tab)
    stage.account_for(lesson.gone())


def test_forbidden_origin(lesson, stage):
    """An origin that is not allowed: nothing is credited, and the page plays on"""
    before = stage.minuted.metric("minuted_sessions_total")
    lesson.open(sdk=f"http://127.0.0.1:{stage.minuted.port}/v1/minuted.js").play(4).pause()
    assert stage.account.credited() == 0
    assert stage.minuted.metric("minuted_sessions_total") == before
    assert lesson.problems() == []


def test_unreachable_script(lesson, stage):
    """The script cannot be had: the page plays on"""
    stage.front.refuse("/v1/minuted.js", 503)
    lesson.open().play(2).pause()
    assert lesson.run("return typeof minuted") == "undefined"
    assert stage.account.credited() == 0 and lesson.problems() == []


def test_base_path(stage):
    """Under a path of the platform's own"""
    lesson = stage.set_up(http={"base_path": "/lessons/time"})
    lesson.open(sdk="/lessons/time/v1/minuted.js").play(5).finish()
    stage.settle(lesson)
    assert {sent.path for sent in stage.front.heartbeats()} == {"/lessons/time/v1/heartbeats"}


def test_unknown_lesson(lesson, stage):
    """A lesson that the catalog does not have: the page is told once, and plays on"""
    lesson.lesson_id = "no-such-lesson"
    lesson.open()
    wait_until(lambda: len(lesson.errors()) == 1, "the page is told")
    lesson.play(4).pause()
    assert len(lesson.errors()) == 1 and len(stage.front.sessions()) <= 5, "it is asked for again and again"
    assert stage.account.credited() == 0 and lesson.problems() == []
