"""The same with nothing simulated: a real Chromium whose page runs the real player SDK on clocks that are hurried.

One video, watched by two trackers: one reports to minuted, one to the naive counter. In a window beside it an honest learner
watches. Time is real here, so the figures are bounds: what a busy machine changes does not show in them.
"""

import time
from pathlib import Path

import pytest

from harness.browser import Browser
from harness.player import Player, platform_token
from harness.service import wait_until

from arena import CHEAT, HONEST, SLACK_MS
from board import Row
from contest import ATTACKS, CHAPTERS, Attack
from naive_http import NaiveDaemon

TIMES, SECONDS = 8, 10
HURRY = Path(__file__).with_name("faster.js").read_text().replace("TIMES", str(TIMES))
WATCH = """
const [token, ...endpoints] = arguments, video = document.createElement('video');
// Ten minutes of silence: WAV, one channel, 8 bits, 8,000 samples a second.
const rate = 8000, n = 600 * rate;
const header = Uint32Array.of(0x46464952, 36 + n, 0x45564157, 0x20746d66, 16, 0x10001, rate, rate, 0x80001, 0x61746164, n);
const film = new Blob([header, new Uint8Array(n).fill(128)], {type: 'audio/wav'});
Object.assign(video, {src: URL.createObjectURL(film), muted: true});
document.body.replaceChildren(video);
const script = document.createElement('script');
script.src = '/v1/minuted.js';
window.reasons = {};
const onResult = ({status, reason = status}) => { reasons[reason] = (reasons[reason] || 0) + 1; };
const track = endpoint => minuted.track(video, {lessonId: 'open-1', getToken: () => token, endpoint, onResult});
script.onload = () => {
  window.trackers = endpoints.map(track);
  video.play();
};
document.head.append(script);
"""
HURRIED = Attack(f"a real Chromium with the SDK: clocks, timers and playback {TIMES} × hurried", ("ahead_of_clock",),
                 "what has not passed cannot be claimed", (CHAPTERS.index("browser"), 0), None)
ATTACKS.append(HURRIED)


class Viewer:
    """LEARNER in front of a browser of their own; its clocks are hurried when SCRIPT does so."""

    def __init__(self, browser, counters, learner, script=""):
        self.browser, self.counters, self.learner = browser.start(), counters, learner
        browser.cdp("Page.enable")
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)
        browser.goto(f"http://127.0.0.1:{counters[0].port}/v1/minuted.d.ts")
        self.opened = time.monotonic()
        browser.run(WATCH, platform_token(learner, "higher", counters[0].now_ms()),
                    *(f"http://127.0.0.1:{counter.port}/" for counter in counters))
        wait_until(self.media_s, f"{learner}'s video plays")
        self.began = time.monotonic()

    def media_s(self):
        return self.browser.run("return document.querySelector('video').currentTime")

    def stop(self):
        """Pauses, and has what was played sent."""
        self.browser.run("document.querySelector('video').pause(); trackers.forEach(tracker => tracker.flush())")
        self.watched = time.monotonic() - self.began

    def passed(self):
        """Since before its session."""
        return time.monotonic() - self.opened

    def credited(self):
        return [Player(counter, self.learner).progress()["total"]["watched_seconds"] for counter in self.counters]

    def leave(self):
        """Ends the browser, which would send again for ever what was not taken. Returns how its runs were answered."""
        reasons = self.browser.run("return reasons")
        self.browser.quit()
        return reasons


def bounds(credited, seconds):
    """Which power of two was got at least for an hour; "≤ 1" when it is no more than time."""
    hours = max(0, credited - 1) / seconds      # a stretch may have one second more than it is long
    return "≤ 1" if hours <= 1 else f"> {max(n for n in (1, 2, 4, 8, 16) if n < hours)}"


@pytest.fixture
def new_viewer(tmp_path, services):
    """Makes viewers, each with a Chromium and a profile."""
    viewers = []

    def new(counters, learner, script=""):
        browser = Browser(tmp_path / f"chromium-{learner}")
        services.append(browser)
        viewers.append(Viewer(browser, counters, learner, script))
        return viewers[-1]
    yield new
    for viewer in viewers:
        viewer.browser.quit()


@pytest.fixture
def counters(new_minuted, redis):
    naive = NaiveDaemon(None)
    yield [new_minuted(redis).start(), naive]
    naive.close()


def test_hurried_page(counters, new_viewer, keep_row):
    honest = new_viewer(counters, HONEST)
    cheat = new_viewer(counters, CHEAT, HURRY)
    time.sleep(SECONDS)  # sleeps: the film plays
    for viewer in (cheat, honest):
        viewer.stop()
    wait_until(lambda: abs(honest.credited()[0] - honest.media_s()) <= 1, "the honest learner is credited all of it")
    reasons = cheat.leave()
    counters[0].advance(SLACK_MS)           # what was claimed a little early has passed now
    passed, (credited, counted) = cheat.passed() + SLACK_MS / 1000, cheat.credited()
    assert credited <= passed + 1 and reasons["ahead_of_clock"] > 0
    figures = bounds(counted, cheat.watched), bounds(credited, passed)
    keep_row(HURRIED, Row(HURRIED.name, f"{SECONDS} s", *figures, HURRIED.stopped))
