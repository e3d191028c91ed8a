"""Attacks by numbers: many tabs, devices, lessons, sessions, machines, and learners that look alike."""

from harness.catalog import MINUTE_MS

from contest import attack

MANY = 10
STEP_MS = 5 * MINUTE_MS


def watch_all(arena, tabs):
    for _ in arena.hour(STEP_MS):
        for tab in tabs:
            tab.watch()


@attack("ten tabs of a lesson", "duplicate_seconds", because="a second of a learner is credited once")
def test_tabs(arena):
    watch_all(arena, [arena.tab() for _ in range(MANY)])


@attack("ten devices", "duplicate_seconds", because="a learner's devices share one clock")
def test_devices(arena):
    watch_all(arena, [arena.tab(device=f"device-{i}") for i in range(MANY)])


@attack("three lessons at once", "contested_seconds", because="a second goes to one lesson")
def test_lessons(arena):
    watch_all(arena, [arena.tab(f"open-{i + 1}", device=f"tab-{i}") for i in range(3)])


@attack("a session token shared with twenty machines", "duplicate_seconds",
        because="the token names its learner and its seconds, whoever sends it")
def test_shared_token(arena):
    tab, machines = arena.tab(), 2 * MANY
    for _ in arena.hour(STEP_MS):
        played = tab.next_run()
        for _ in range(machines):
            tab.claim(played)


@attack("twelve sessions hoarded, all claimed at the end", "contested_seconds", "duplicate_seconds",
        because="they share the hour that they were opened in")
def test_hoarded_sessions(arena):
    """Opened before anything is watched, for every open lesson; the last minute claims an hour of each."""
    tabs = [arena.tab(lesson, f"hoard-{i}") for i in range(4) for lesson in ("open-1", "open-2", "winter-1")]
    for passed_ms in arena.hour():
        if passed_ms % MINUTE_MS:
            for tab in tabs:
                tab.watch()


LOOK_ALIKES = (
    "\u0441heat", "\uff43\uff48\uff45\uff41\uff54", "cheat\u200b", "Cheat", "cheat ", "che\u0430t", "\u00e7heat",
    "c\u0327heat")


@attack("time watched by nine ids that look like one's own",
        because="two ids are two learners; who they are the platform says")
def test_look_alikes(arena):
    """Cyrillic, full width, zero width, capitals, blanks, composed and decomposed; and one's own on another portal."""
    tabs = [arena.tab(learner=learner) for learner in LOOK_ALIKES] + [arena.tab(portal="basic")]
    watch_all(arena, tabs)
    others = [arena.credited(learner) for learner in LOOK_ALIKES]
    assert all(3590 <= seconds <= 3600 for seconds in others), others
