"""What no server can tell apart from watching: an honest learner is only told by their time."""

from harness.catalog import MINUTE_MS

from contest import attack


@attack("a learner who watches", because="nothing, of course")
def test_watching(arena):
    tab = arena.tab()
    for _ in arena.hour():
        tab.watch()


@attack("a script without a player that claims real time", because="**nothing can**: it is credited the time that it waits")
def test_script(arena):
    """It never saw the video. What it sends is what a player would."""
    tab = arena.tab(device="script")
    for _ in arena.hour():
        tab.watch()


@attack("a script that waits an hour, then claims it at once", because="**nothing can**: so does a phone that was offline")
def test_waiting_script(arena):
    tab = arena.tab(device="script")
    for passed_ms in arena.hour():
        if passed_ms % MINUTE_MS:
            tab.watch()
