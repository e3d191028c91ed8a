"""A cheat who mixes all attacks: each step is a small tuple, so that hypothesis can shorten what breaks minuted."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import strategies as st

from harness.catalog import MINUTE_MS
from harness.http_client import HttpClient
from harness.player import run

from arena import RUN_MS, RUNS_MAX, SLACK_MS, Arena

LESSONS = ("open-1", "open-2", "winter-1", "ten-minutes", "open-3")
RACERS = 4

tabs = st.integers(0, 7)
ms = st.integers(0, RUN_MS)
STEPS = st.lists(st.one_of(
    st.tuples(st.just("wait"), st.integers(1000, RUN_MS)),
    st.tuples(st.just("open"), st.sampled_from(LESSONS)),
    st.tuples(st.just("watch"), tabs),
    st.tuples(st.just("accelerate"), tabs, st.integers(2, 20)),
    st.tuples(st.just("claim_ahead"), tabs, st.one_of(ms, st.just(SLACK_MS))),
    st.tuples(st.just("claim_any"), tabs, ms, ms, st.sampled_from((0.25, 1.0, 1.01, 1.5, 2.0, 16.0)), ms),
    st.tuples(st.just("claim_before"), tabs, ms),
    st.tuples(st.just("sprinkle"), tabs, st.integers(1, 1500), st.integers(1, 3)),
    st.tuples(st.just("graze"), tabs, st.floats(0, 2), st.floats(0, 2)),
    st.tuples(st.just("replay"), st.integers(1, 50), st.randoms(use_true_random=False)),
    st.tuples(st.just("race"), st.integers(1, 10)),
    st.tuples(st.just("swap"), tabs, tabs),
    st.tuples(st.just("forge"), tabs, st.integers(0, 200)),
    st.tuples(st.just("overflow"), tabs, st.sampled_from((2**31, 2**32, 2**53, 2**63, 2**64))),
), min_size=3, max_size=40)


class Mixture:
    """Plays steps in ARENA, which has one tab to begin with; `said` are the heartbeats sent so far."""

    def __init__(self, arena: Arena):
        self.arena, self.said = arena, []
        self.tabs = [arena.tab()]

    def step(self, name, *details):
        getattr(self, name)(*details)

    def tab(self, at):
        return self.tabs[at % len(self.tabs)]

    def say(self, tab, *runs):
        for at in range(0, len(runs), RUNS_MAX):
            self.said.append(tab.session.heartbeat(*runs[at:at + RUNS_MAX]))
            self.arena.post(self.said[-1])

    # --- steps ----------------------------------------------------------------------------------

    def wait(self, ms):
        self.arena.wait(ms)

    def open(self, lesson):
        self.tabs.append(self.arena.tab(lesson, f"device-{len(self.tabs)}"))

    def watch(self, at):
        tab = self.tab(at)
        played = [run(a, min(a + RUN_MS, tab.now_ms)) for a in range(tab.at_ms, tab.now_ms, RUN_MS)]
        tab.at_ms = max(tab.at_ms, tab.now_ms)
        self.say(tab, *played)

    def accelerate(self, at, times):
        tab = self.tab(at)
        fast_ms = min(tab.now_ms * times, tab.at_ms + 20 * RUN_MS)
        self.say(tab, *(run(a, min(a + RUN_MS, fast_ms)) for a in range(tab.at_ms, fast_ms, RUN_MS)))
        tab.at_ms = max(tab.at_ms, fast_ms)

    def claim_ahead(self, at, ms):
        end_ms = self.tab(at).now_ms + ms
        if end_ms > 0:
            self.say(self.tab(at), run(max(0, end_ms - RUN_MS), end_ms))

    def claim_any(self, at, from_ms, length_ms, rate, media_ms):
        self.say(self.tab(at), run(from_ms, from_ms + length_ms, media_ms, rate),
                 run(from_ms, from_ms + length_ms, 0, 1.0, media_ms))

    def claim_before(self, at, ms):
        self.say(self.tab(at), run(-ms - 1, max(0, self.tab(at).now_ms - ms), 0), run(-ms - MINUTE_MS, -ms, 0))

    def sprinkle(self, at, every_ms, length_ms):
        """Tiny runs all over what has passed."""
        now_ms = self.tab(at).now_ms
        starts = range(max(0, now_ms - 200 * every_ms), now_ms, every_ms)
        self.say(self.tab(at), *(run(ms, ms + length_ms) for ms in starts))

    def graze(self, at, before_ms, after_ms):
        """Each second touched by fractions of a millisecond, to be rounded up; those to come as well."""
        tab = self.tab(at)
        edges = range(1000, tab.now_ms + 2 * SLACK_MS, 1000)[-200:]
        played = [run(ms - before_ms, ms + after_ms, media_to_ms=ms + after_ms) for ms in edges if after_ms + before_ms > 0]
        self.say(tab, *played, run(0.4, max(1, tab.now_ms) + SLACK_MS + after_ms / 4 + 0.4))

    def replay(self, times, rng):
        """What was said, as a gateway that repeats and reorders."""
        if self.said:
            self.arena.post_batch(rng.choices([h for h in self.said[-20:] if len(h["runs"]) <= 2] or self.said[:1], k=times))

    def race(self, times):
        """The same heartbeats from several machines at once."""
        with ThreadPoolExecutor(RACERS) as pool:
            list(pool.map(self.race_once, [self.said[-times:]] * RACERS))

    def race_once(self, heartbeats):
        client = HttpClient(self.arena.counter.port)
        for heartbeat in heartbeats:
            client.post("/v1/heartbeats", heartbeat)
        client.close()

    def swap(self, at, other):
        """One tab's playing with another's token."""
        tab = self.tab(at)
        if tab.now_ms > tab.at_ms:
            played = run(tab.at_ms, min(tab.now_ms, tab.at_ms + RUN_MS))
            self.say(self.tab(other), played)

    def forge(self, at, place):
        token = self.tab(at).session.token
        place = 3 + place % (len(token) - 4)
        forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1:]
        self.arena.post({"session_token": forged, "runs": [run(0, max(1, self.tab(at).now_ms))]})

    def overflow(self, at, number):
        minute = run(0, MINUTE_MS)
        self.say(self.tab(at), {**minute, "to_ms": number + MINUTE_MS}, {**minute, "from_ms": -number},
                 {**minute, "from_ms": number, "to_ms": number + MINUTE_MS}, {**minute, "media_to_ms": number})
