"""The command line of bench/run: prepares, runs the scenarios one after another, and writes the pages."""

import argparse
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from . import machine, pages
from .paths import BUILD, RESULTS, ROOT
from .prepare import NotPrepared, prepare

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NAMES = ("floor", "saturation", "steady", "durability", "rush", "storm", "batches", "idle", "memory", "scale", "catch-up",
         "workers")


def parse(words):
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures minuted and its peers, and writes the whole report of it.",
        epilog="Exit status: 0 when every scenario ran, whatever it found; 1 when one could not run or a result was void.")
    parser.add_argument("--quick", action="store_true", help="five minutes instead of 25: shorter, fewer rounds")
    parser.add_argument("--only", metavar="A,B", type=lambda text: text.split(","), default=list(NAMES),
                        help="only these scenarios; the others keep the results they have. All: " + ", ".join(NAMES))
    parser.add_argument("--pages", action="store_true", help="measure nothing; write the pages again")
    parser.add_argument("--results", metavar="DIR", type=Path, default=RESULTS, help="(bench/results)")
    parser.add_argument("--build", metavar="DIR", type=Path, default=BUILD,
                        help="programs that are built already (build/release, which is built first)")
    options = parser.parse_args(words)
    unknown = [name for name in options.only if name not in NAMES]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    options.results, options.build = options.results.absolute(), options.build.absolute()
    return options


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def interrupt(*_):
    """Only the first signal interrupts, so that a second one cannot stop the servers from being ended."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run_all(options):
    """Runs the scenarios. Returns the names of those that could not run or that have a void result."""
    sys.path.append(str(ROOT / "tests"))
    from .scenario import run_scenario  # its packages may have been installed just now
    about = {"quick": options.quick, "machine": machine.describe(options.build)}
    bad = []
    for name in options.only:
        if not run_scenario(name, options, about, say):
            bad.append(name)
    return bad


def main(words):
    options = parse(words)
    for number in SIGNALS:
        signal.signal(number, interrupt)
    began = datetime.now(timezone.utc)
    bad = []
    try:
        if not options.pages:
            prepare(options.build, say)
            bad = run_all(options)
        pages.write(options.results)
    except NotPrepared as e:
        print(f"bench/run: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench/run: interrupted", file=sys.stderr)
        return 130
    say(f"{options.results}/README.md, index.html, loads.html; {(datetime.now(timezone.utc) - began).total_seconds():.0f} s")
    if bad:
        say(f"could not run, or void: {', '.join(bad)}")
    return 1 if bad else 0
