"""tests/proof: plays a storm and prints the table of who holds what."""

import asyncio
import random
import shutil
import signal
import sys
import tempfile
import textwrap
import time
import traceback
from pathlib import Path

from harness.daemon import MINUTED
from harness.ledger import Ledger, run_ledger, totals_by_key
from harness.records import Merged, read_topics
from harness.redis_truth import Truth

from . import players
from .arguments import PARTS, parse_arguments
from .faults import Faults
from .learners import Learner
from .post import Post, Report
from .theatre import Theatre
from .verdict import Held, judge, table
from .web import Web

OVERTIME_S = 300  # faults that wait for each other may last beyond the storm, for so long
LAST_RUN_S = 4    # after the play is over a player may still send what it is just playing
DRAIN_S = 120    # all claims are answered within, once everything runs again
SETTLE_S = 120   # and all is published


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


class Cast:
    """Who plays: seven tenths honest, the rest not."""

    def __init__(self, seed, report):
        self.seed, self.report = seed, report
        self.learners, self.posts, self.plays = [], [], []
        self.stage = self.ports = None

    def assemble(self, ports, n):
        """About N learners, who send to PORTS; in the loop that they play in."""
        self.stage, self.ports = players.Stage(), ports
        shares = ((self.add_browser, 30), (self.add_phone, 20), (self.add_gateway, 1), (self.add_passers_by, 10),
                  (self.add_tabs, 10), (self.add_repeater, 10), (self.add_forger, 10))
        for add, share in shares:
            for _ in range(max(1, n * share // 100)):
                add()
        return self

    def learner(self, kind, honest):
        """Each has a die of its own, so that nobody's fortune depends on who is served first."""
        rng = random.Random(f"{self.seed} learner {len(self.learners)}")
        x = Learner(f"{kind}-{len(self.learners)}", rng.choice(("higher", "basic")), honest, rng)
        self.learners.append(x)
        return x

    def post(self, form=None):
        rng = random.Random(f"{self.seed} post {len(self.posts)}")
        post = Post(Web(self.ports, rng), rng, self.report, form or rng.choice(("json", "protobuf")))
        self.posts.append(post)
        return post

    def add_browser(self):
        self.plays.append(players.browser(self.stage, self.post(), self.learner("browser", True)))

    def add_phone(self):
        self.plays.append(players.phone(self.stage, self.post("protobuf"), self.learner("手机", True)))

    def add_gateway(self):
        behind = [self.learner("behind a gateway", True) for _ in range(10)]
        self.plays.append(players.gateway(self.stage, self.post(), behind))

    def add_passers_by(self):
        self.plays.append(players.passers_by(self.stage, self.post(), lambda: self.learner("passer-by", True)))

    def add_tabs(self):
        posts = [self.post() for _ in range(3)]
        self.plays.append(players.tabs(self.stage, posts, self.learner("tabs", False)))

    def add_repeater(self):
        self.plays.append(players.repeater(self.stage, self.post(), self.learner("repeater", False)))

    def add_forger(self):
        self.plays.append(players.forger(self.stage, self.post("json"), self.learner("forger", False)))

    def waiting(self):
        return sum(len(post.queue) for post in self.posts)


async def storm(theatre, cast, faults, arguments, report):
    """Plays until the faults are over, heals everything, and lets every claim have its answer. Returns when play ended."""
    cast.assemble(theatre.ports, arguments.learners)
    say(f"{len(cast.learners)} learners play at once")
    play = asyncio.gather(*cast.plays)
    play.add_done_callback(lambda done: done.cancelled() or done.exception())   # an interrupt's is nobody's
    faults.start()
    try:
        await follow(faults, arguments.minutes * 60, report, play)
    finally:
        await asyncio.to_thread(faults.stop)
    say("the storm is over: everything runs again, and players deliver what they have left")
    await asyncio.to_thread(theatre.heal)
    cast.stage.over.set()
    ended = time.time() + LAST_RUN_S
    try:
        await asyncio.wait_for(play, DRAIN_S)
    except asyncio.TimeoutError:
        report.problem(f"{cast.waiting()} claims had no final answer {DRAIN_S} s after the storm")
    for post in cast.posts:
        post.web.close()
    return ended


async def follow(faults, seconds, report, play):
    """A line every half a minute, until the time is over and every part was struck as often as it should be."""
    began = told = time.monotonic()
    while time.monotonic() - began < seconds or faults.alive():
        await asyncio.sleep(0.5)
        if play.done():
            await play   # a player that ends early has failed: its error is ours
        if time.monotonic() - began > seconds + OVERTIME_S:
            report.problem(f"after {OVERTIME_S} s more not every fault has happened")
            return
        if time.monotonic() - told >= 30:
            told = time.monotonic()
            answers = report.answers
            say(f"{told - began:5.0f} s  struck {sum(faults.struck().values())}  accepted {answers['accepted']}  "
                f"503 {answers['503 heartbeat']}  lost {answers['lost heartbeat']}  problems {len(report.problems)}")


def ledger_totals(theatre, directory, report):
    """Also where the ledger finds that its three ways of counting differ, which is a problem of its own."""
    ledger = Ledger(directory / "ledger.db", theatre.kafka.brokers, theatre.catalog).follow()
    code, output, errors = run_ledger("totals", "--db", ledger.database, "--format", "json")
    if code != 0:
        report.problem(f"minuted-ledger totals ended with {code}: {errors or 'its three ways of counting differ'}")
    return totals_by_key(output)


def compare(theatre, learners, ended, directory, report):
    """Waits until all is published, and reads what everybody holds."""
    theatre.let_minutes_end(300_000)
    try:
        theatre.wait_settled(SETTLE_S)
    except AssertionError as e:
        report.problem(str(e))
    merged = Merged(read_topics(theatre.kafka.brokers))
    totals = ledger_totals(theatre, directory, report)
    return judge(learners, Held.read(Truth(theatre.redis.client), merged, totals), ended)


def print_report(arguments, theatre, learners, faults, report, verdict, seconds):
    def counts(title, found):
        print(textwrap.fill(", ".join(f"{what} {n:,}" for what, n in found), 110, break_long_words=False,
                            initial_indent=f"{title:<10}", subsequent_indent=" " * 10))
    print()
    print(f"seed {arguments.seed}: {learners:,} learners, 2 daemons, {seconds / 60:.1f} minutes")
    counts("struck", faults.struck().items())
    counts("answers", sorted(report.answers.items()))
    counts("daemons", theatre.events().items())
    print()
    if verdict is not None:
        print(table(verdict))
    for problem in report.problems:
        print(f"PROBLEM {problem}")


def check_what_happened(theatre, cast, report):
    """A storm in which nothing happened proves nothing."""
    if theatre.events()["history_gone"]:
        report.problem("a daemon says that history is gone; no Redis was emptied")
    if report.contested == 0:
        report.problem("no second was contested, though several lessons were played at once")
    if cast.waiting():
        report.problem(f"{cast.waiting()} claims are left")


def play(arguments, directory):
    report = Report()
    theatre = Theatre(directory, report)
    cast = Cast(arguments.seed, report)
    faults = Faults(theatre, arguments.seed, arguments.kills, arguments.minutes, report)
    verdict, began = None, time.monotonic()
    try:
        theatre.start()
        say(f"seed {arguments.seed}: {arguments.kills} times each of: {', '.join(PARTS)}; logs are in {directory}")
        ended = asyncio.run(storm(theatre, cast, faults, arguments, report))
        check_what_happened(theatre, cast, report)
        verdict = compare(theatre, cast.learners, ended, directory, report)
    except Exception as e:  # noqa: BLE001 - whatever it is, the report says it beside all else
        report.problem("".join(traceback.format_exception(e)))
    finally:
        faults.stop()
        theatre.stop()
    print_report(arguments, theatre, len(cast.learners), faults, report, verdict, time.monotonic() - began)
    return verdict is not None and verdict.holds and not report.problems and min(
        faults.struck().values()) == arguments.kills


def prepare(arguments):
    """The folder for servers' files; None, having said why, if the storm cannot be played."""
    if not MINUTED.exists():
        print(f"tests/proof: {MINUTED} does not exist: build it, or leave MINUTED_BUILD unset", file=sys.stderr)
        return None
    directory = Path(arguments.keep or tempfile.mkdtemp(prefix="minuted-proof-")).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        print(f"tests/proof: --keep {directory} is not empty", file=sys.stderr)
        return None
    return directory


def be_interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(argv=None):
    arguments = parse_arguments(argv)
    directory = prepare(arguments)
    if directory is None:
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):   # as Ctrl-C: the servers are ended
        signal.signal(number, be_interrupted)
    try:
        holds = play(arguments, directory)
    except KeyboardInterrupt:
        print(f"\nproof: interrupted; logs are in {directory}")
        return 130
    print()
    if holds:
        print(f"proof: every invariant holds after {arguments.kills} of each fault; --seed {arguments.seed} repeats it")
        if not arguments.keep:
            shutil.rmtree(directory)
    else:
        print(f"proof: BROKEN; --seed {arguments.seed} repeats it; logs are in {directory}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
