"""A lesson in a tab of the browser, as the learner works it; and what the page's probe saw meanwhile."""

from contextlib import suppress
from urllib.parse import urlencode

from harness.service import wait_until

MEDIA = "document.querySelector('video')"
QUICKLY = 0.1


class LessonPage:
    """What was played in a page that is gone is banked: the probe begins anew with each."""

    name = "lesson.html"

    def __init__(self, browser, front, learner, lesson_id="open-1"):
        self.browser, self.front = browser, front
        self.learner, self.lesson_id = learner, lesson_id
        self.tab = None
        self.banked = 0.0

    def address(self, **options):
        query = {"lesson": self.lesson_id, "sub": self.learner, **options}
        return f"{self.front.origin}/pages/{self.name}?{urlencode(query)}"

    def open(self, **options):
        """Loads the lesson in the browser's tab and waits for its script."""
        self.tab = self.browser.tab
        self.browser.goto(self.address(**options))
        return self.wait_loaded()

    def wait_loaded(self):
        wait_until(lambda: self.run("return !!(window.lesson && lesson.ready)"), "the lesson is loaded", every=QUICKLY)
        return self

    def run(self, script, *arguments):
        return self.browser.run(script, *arguments)

    # --- what the learner does --------------------------------------------------------------------

    def start(self):
        """Starts playing and goes on at once: players that have loaded nothing yet are asked again."""
        wait_until(lambda: self.run(f"const m = {MEDIA}; if (m && m.paused) m.play().catch(() => 0);"
                                    "return m && !m.paused && m.currentTime > 0"), "the lesson plays", every=QUICKLY)
        return self

    def play(self, seconds):
        """Plays until so many seconds more have really been played."""
        wanted = self.here()["played"] + seconds
        self.start()
        wait_until(lambda: self.here()["played"] >= wanted, f"{seconds} s are played", every=QUICKLY)
        return self

    def pause(self):
        self.run(f"{MEDIA}.pause()")
        wait_until(lambda: self.run(f"return {MEDIA}.paused"), "the lesson pauses", every=QUICKLY)
        return self

    def seek(self, seconds):
        wait_until(lambda: self.run(f"return {MEDIA}.readyState > 0"), "the film's length is known", every=QUICKLY)
        self.run(f"{MEDIA}.currentTime = arguments[0]", seconds)
        return self

    def set_rate(self, rate):
        self.run(f"{MEDIA}.playbackRate = arguments[0]", rate)
        return self

    def flush(self):
        """What the SDK's own flush() says."""
        return self.run("return lesson.tracker.flush()")

    def finish(self):
        """Pauses and waits until all is delivered."""
        self.pause()
        wait_until(self.flush, "everything is delivered")
        return self

    def leave(self):
        """Before the page goes: what its probe saw, should it not come to say goodbye."""
        self.banked = self.here()["played"]
        return self

    def gone(self):
        """What the page played until its very end."""
        with suppress(AssertionError):
            wait_until(lambda: max(self.front.goodbyes) >= self.banked, "the page says goodbye", 3)
            self.banked = max(self.front.goodbyes)
        return self.banked

    # --- what was seen ----------------------------------------------------------------------------

    def here(self):
        """Of this page alone."""
        return self.run("return {played: probe.played, media: probe.media}")

    def real_seconds(self):
        """How long this page is there."""
        return self.run("return probe.clock() / 1000")

    def played(self):
        """By this page and the one before it."""
        return self.banked + self.here()["played"]

    def counts(self, event):
        return self.run("return probe.counts[arguments[0]] || 0", event)

    def results(self):
        return self.run("return lesson.results")

    def sum_of(self, member):
        return sum(result.get(member, 0) for result in self.results())

    def errors(self):
        return self.run("return lesson.errors")

    def problems(self):
        return self.run("return probe.problems")

    def sessions(self):
        return self.run("return lesson.sessions.size")
