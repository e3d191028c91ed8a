"""Browsers that keep nothing: playing is credited all the same, and nothing breaks in the page."""

import pytest

FILL = """
    let size = 1 << 20;
    for (let i = 0; size > 0; i++) {
        try { localStorage.setItem('filler' + i, 'x'.repeat(size)); } catch (error) { size >>= 1; }
    }
    try { localStorage.setItem('one more', 'x'); } catch (error) { return error.name; }
"""
NO_STORAGE = {"profile.default_content_setting_values.cookies": 2}    # as people set it against being followed


@pytest.mark.chromium
def test_disabled(own_stage):
    """localStorage is forbidden"""
    own_stage.house.preferences = NO_STORAGE
    lesson = own_stage.set_up().open()
    assert lesson.run("try { return localStorage.length } catch (error) { return error.name }") == "SecurityError"
    lesson.play(6).finish()
    own_stage.settle(lesson)
    assert lesson.problems() == []


def test_full(lesson, stage):
    """localStorage is full"""
    stage.browser.goto(f"{stage.front.origin}/pages/blank.html")
    assert lesson.run(FILL) == "QuotaExceededError"
    lesson.open().play(6).finish()
    stage.settle(lesson)
    assert lesson.run("return Object.keys(localStorage).filter(key => key.startsWith('minuted'))") == []
    assert lesson.problems() == []
