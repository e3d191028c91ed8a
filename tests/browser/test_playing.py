"""Playing as learners do: what was really played is credited, to the second."""

import time

from account import PROBE_S

from harness.service import wait_until


def test_play(lesson, stage):
    """Play for 20 s"""
    lesson.open().play(20).finish()
    row = stage.settle(lesson)
    assert 19 <= row.credited <= 21


def test_pause(lesson, stage):
    """Pause for 3 s and go on"""
    lesson.open().play(4).pause()
    time.sleep(3)  # sleeps: the learner pauses for so long
    lesson.play(4).finish()
    stage.settle(lesson, stretches=2)


def test_seek(lesson, stage):
    """Seek ahead, and back"""
    lesson.open().play(3).seek(40).play(3).seek(1).play(3).finish()
    stage.settle(lesson, stretches=3)
    assert lesson.counts("seeking") == 2


def test_rate(lesson, stage):
    """At one and a half times the speed"""
    lesson.open().set_rate(1.5).play(8).finish()
    row = stage.settle(lesson)
    media = lesson.here()["media"]
    assert media > 1.3 * row.played
    assert abs(stage.account.covered() - media) <= 2


def test_rate_change(lesson, stage):
    """The speed changes while playing"""
    lesson.open().play(3).set_rate(2).play(3).set_rate(0.75).play(3).finish()
    stage.settle(lesson)
    assert lesson.counts("ratechange") == 2


def test_buffering(lesson, stage):
    """A network too slow for the film"""
    lesson.open(media="/media/lesson.mp4?at_once=70000&bytes_per_second=4000").start()
    began = lesson.real_seconds()

    def stood_still():
        return lesson.real_seconds() - began - lesson.here()["played"]

    wait_until(lambda: lesson.counts("waiting") >= 2 and stood_still() > 4, "stalls long enough to show if they were credited")
    lesson.finish()
    stage.settle(lesson, stretches=lesson.counts("waiting"))


def test_end(lesson, stage):
    """To the end of the film, and once more"""
    lesson.open().seek(86).start()
    wait_until(lambda: lesson.counts("ended") == 1, "the film ends")
    lesson.play(3).finish()
    stage.settle(lesson, stretches=2)


def test_change_lesson(lesson, stage):
    """changeLesson in the midst of playing"""
    lesson.open().play(4)
    lesson.run("lesson.tracker.changeLesson('open-2')")
    first = lesson.here()["played"]
    lesson.play(4).finish()
    stage.settle(lesson, stretches=2)
    seconds = stage.account.seconds()
    second = lesson.here()["played"] - first
    within = 1 + PROBE_S
    assert abs(len(seconds["open-1"]) - first) <= within and abs(len(seconds["open-2"]) - second) <= within
    assert {result["lesson_id"] for result in lesson.results()} == {"open-1", "open-2"}


def test_destroy(lesson, stage):
    """destroy, and playing on uncounted"""
    lesson.open().play(4)
    counted = lesson.here()["played"]
    lesson.run("lesson.tracker.destroy()")
    sent = len(stage.front.heartbeats())
    lesson.play(4).pause()
    stage.account_for(counted)
    assert len(stage.front.heartbeats()) <= sent + 1
    assert len(lesson.problems()) == 0


def test_progress(lesson, stage):
    """onProgress tells the learner as it happens"""
    lesson.open(progress=1).play(5).finish()
    row = stage.settle(lesson)
    told = [progress["total"]["watched_seconds"] for progress in lesson.run("return lesson.progress")]
    assert told == sorted(told) and len(told) >= 2 and told[-1] == row.credited
