"""Lessons in frames, as learning platforms embed them."""

from urllib.parse import urlencode

FRAMES_MAX = 4
TRACK_FROM_AROUND = """
    const script = parent.document.createElement('script');
    script.src = '/v1/minuted.js';
    script.onload = () => parent.minuted.track(document.querySelector('video'), lesson.options);
    parent.document.head.append(script);
"""


def open_framed(stage, lesson, frame_address, **attributes):
    """Opens a page of the first front around the lesson at FRAME_ADDRESS and works in the frame."""
    lesson.tab = stage.browser.tab
    query = urlencode({"frame": frame_address, **attributes})
    stage.browser.goto(f"{stage.front.origin}/pages/frame.html?{query}")
    stage.browser.enter_frame("frame")
    return lesson.wait_loaded()


def play_and_close(stage, lesson):
    """Plays in a frame until the tab is closed. A browser gives a frame half a second to say goodbye; on a busy machine the
    frame may miss it, and the next page at the same place must then deliver what it left behind. Such a frame is followed
    by another, one of which must have said goodbye."""
    played = 0.0
    for stretches in range(1, FRAMES_MAX + 1):
        lesson.front.goodbyes.clear()
        sent = len(lesson.front.heartbeats())
        open_framed(stage, lesson, lesson.address()).play(5).leave()
        assert len(lesson.front.heartbeats()) == sent, "what is sent while it plays is no goodbye"
        stage.browser.close_tab(lesson.tab)
        played += lesson.gone()
        if lesson.front.goodbyes and len(lesson.front.heartbeats()) > sent:
            break
        open_framed(stage, lesson, lesson.address()).finish()
    else:
        raise AssertionError(f"none of {FRAMES_MAX} frames said goodbye")
    stage.account_for(played, stretches)


def test_same_origin(stage):
    """In a frame of the page's origin; the tab is closed"""
    lesson = stage.set_up("15s")
    play_and_close(stage, lesson)


def test_cross_origin(stage):
    """In a frame of another origin; the tab is closed"""
    lesson = stage.set_up("15s")
    lesson.front = stage.new_front("localhost")
    play_and_close(stage, lesson)
    assert stage.front.passed == [] and lesson.front.heartbeats()


def test_tracked_from_around(lesson, stage):
    """A frame's video, tracked by the page around it"""
    open_framed(stage, lesson, lesson.address(track="later"))
    lesson.run(TRACK_FROM_AROUND)
    lesson.play(6).pause()
    stage.settle(lesson)


def test_sandboxed(stage):
    """In a sandboxed frame, which has no origin and no storage"""
    lesson = stage.set_up(http={"allowed_origins": ["*"]})
    open_framed(stage, lesson, lesson.address(), sandbox="allow-scripts")
    assert lesson.run("try { return localStorage.length } catch (error) { return error.name }") == "SecurityError"
    lesson.play(5).finish()
    stage.settle(lesson)
    assert lesson.problems() == []
