"""One counter of watched time, a cheat, and beside it an honest learner; the time between them passes at a word.

The same attack is played against minuted and against the naive counter. Real time is what wait() lets pass, which moves
the counter's clock. The cheat's learner is CHEAT, on any number of tabs; what it is answered is tallied in `answers`.
"""

from collections import Counter

from harness.catalog import MINUTE_MS
from harness.model import claimed_seconds
from harness.player import Player, run

CHEAT, HONEST = "cheat", "honest"
HOUR_MS = 60 * MINUTE_MS
SLACK_MS = 5_000        # how far ahead of the clock a claim may end (heartbeats.clock_slack)
SESSION_MS = 4 * HOUR_MS
RUN_MS = 10 * MINUTE_MS # as long as a run may be
RUNS_MAX = 256          # a request
BATCH_MAX = 100         # heartbeats a request: with their tokens they must stay within its body


class Tab:
    """A session, and what it has not got rid of yet. `at_ms` is up to where the player has claimed."""

    def __init__(self, arena, session, tallied=True):
        self.arena, self.session, self.tallied = arena, session, tallied
        self.zero_ms = arena.passed_ms + session.anchor_ms - arena.server_ms()  # what had passed when its clock was 0
        self.at_ms, self.kept = 0, []

    @property
    def now_ms(self):
        """The player's clock: what really passed since the session's answer."""
        return max(0, self.arena.passed_ms - self.zero_ms)

    def next_run(self):
        """What passed since the last one, claimed whole."""
        played = run(self.at_ms, self.now_ms)
        self.at_ms = self.now_ms
        return played

    def claim(self, *runs):
        """Sends RUNS after those that were to be sent again; returns the results of all."""
        todo, self.kept, results = [*self.kept, *runs], [], []
        for at in range(0, len(todo), RUNS_MAX):
            part = todo[at:at + RUNS_MAX]
            answered = self.arena.post(self.session.heartbeat(*part), self.tallied)
            self.kept += [r for r, result in zip(part, answered) if result["status"] == "retry"]
            results += answered
        return results

    def watch(self):
        """Claims what passed since it last did, as a player does that plays."""
        if self.now_ms > self.at_ms:
            self.kept += [run(a, min(a + RUN_MS, self.now_ms)) for a in range(self.at_ms, self.now_ms, RUN_MS)]
            self.at_ms = self.now_ms
        return self.claim()


class Arena:
    """Begins at START_MS; MARK makes its learners other ones than those who used the counter before."""

    def __init__(self, counter, start_ms, mark, is_naive=False):
        self.counter, self.start_ms, self.mark, self.is_naive = counter, start_ms, mark, is_naive
        self.passed_ms = self.shift_ms = 0
        self.answers, self.scored = Counter(), CHEAT
        counter.set_clock(start_ms)
        self.client = self.player()
        self.honest, self.honest_ms, self.stretches = self.honest_tab(), 0, 1

    # --- time -----------------------------------------------------------------------------------

    def server_ms(self):
        """What the counter's clock was last set to."""
        return self.start_ms + self.passed_ms + self.shift_ms

    def late_ms(self):
        """What passed by itself since the last wait(), while requests were made."""
        return max(0, self.counter.now_ms() - self.server_ms())

    def wait(self, ms):
        """Never back, however slow the machine is."""
        self.passed_ms += max(ms, self.late_ms())
        self.counter.set_clock(self.server_ms())
        self.watch_honestly()

    def watch_honestly(self):
        """As the SDK does: what passed is claimed, and a session that ends soon is followed by another."""
        self.honest.watch()
        if self.honest.now_ms > SESSION_MS - 2 * RUN_MS:
            self.honest_ms += self.honest.at_ms
            self.honest = self.honest_tab()
            self.stretches += 1

    def shift_clock(self, ms):
        """Makes the counter's clock wrong, or right again; no time passes."""
        self.shift_ms += ms
        self.counter.set_clock(self.server_ms())

    def hour(self, step_ms=MINUTE_MS):
        """Goes through an hour minute by minute, and says what has passed."""
        yield from self.span(HOUR_MS, step_ms)

    def span(self, ms, step_ms):
        """The last step ends a little early: what the clock's slack let the cheat claim too soon has passed at the end."""
        for at in range(step_ms, ms, step_ms):
            self.wait(step_ms)
            yield at
        self.wait(step_ms - SLACK_MS)
        yield ms - SLACK_MS
        self.wait(SLACK_MS)

    def seconds_passed(self):
        """Whole seconds of the clock since the arena's start, as runs claim them."""
        return len(claimed_seconds(self.start_ms, run(0, self.passed_ms)))

    # --- players --------------------------------------------------------------------------------

    def id(self, learner):
        return f"{self.mark}-{learner}"

    def player(self, learner=CHEAT, portal="higher"):
        return Player(self.counter, self.id(learner), portal)

    def tab(self, lesson="open-1", device="browser", learner=CHEAT, portal="higher"):
        return Tab(self, self.player(learner, portal).open(lesson, device))

    def honest_tab(self):
        return Tab(self, self.player(HONEST).open("open-3"), tallied=False)

    def try_tab(self, token, lesson="open-1"):
        """With somebody's platform TOKEN; None when it is refused, which is tallied."""
        self.client.token, own = token, self.client.token
        response = self.client.try_open(lesson)
        self.client.token = own
        self.tally(response.status, [])
        return Tab(self, self.client.session_of(response, lesson)) if response.status == 201 else None

    def post(self, body, tallied=True):
        """The results of BODY; none when the whole was refused."""
        response = self.client.post(body)
        results = response.json()["results"] if response.status == 200 else []
        if tallied:
            self.tally(response.status, results)
        return results

    def post_batch(self, heartbeats):
        for at in range(0, len(heartbeats), BATCH_MAX):
            self.post({"heartbeats": heartbeats[at:at + BATCH_MAX]})

    def tally(self, status, results):
        if status >= 400:
            self.answers[str(status)] += 1
        for result in results:
            self.answers[result.get("reason", result["status"])] += 1
            for name in ("duplicate_seconds", "contested_seconds"):
                self.answers[name] += result.get(name, 0)

    def credited(self, learner=CHEAT):
        """Seconds that the counter gives LEARNER."""
        return self.player(learner).progress()["total"]["watched_seconds"]

    def covered(self, learner=CHEAT):
        """Seconds of distinct video that minuted gives LEARNER."""
        return sum(lesson["covered_seconds"] for lesson in self.player(learner).progress()["lessons"])
