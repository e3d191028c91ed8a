"""A test runner that is killed leaves nothing running: neither servers nor workers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import guard
from harness.service import PATIENCE_S, wait_until

TESTS = Path(__file__).parents[1]

# Starts what tests start, says who is running, and never ends by itself.
HANGING = """\
import json, os, subprocess, threading
from pathlib import Path

def test_that_hangs(minuted, redis):
    other = subprocess.Popen(["sleep", "1000"])
    part = Path(__file__).with_name("running.part")
    part.write_text(json.dumps({"runner": os.getpid(), "servers": [redis.process.pid, minuted.process.pid, other.pid]}))
    part.rename(part.with_name("running"))
    try:
        threading.Event().wait()
    finally:
        other.kill()
"""


class Runner:
    """A pytest that runs HANGING, with more WORDS, when its servers are up."""

    def __init__(self, folder, *words):
        (folder / "test_hanging.py").write_text(HANGING)
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest", "-c",
                 TESTS / "pytest.ini", "--basetemp", folder / "base", *words, folder / "test_hanging.py"],
                env={**os.environ, "PYTHONPATH": str(TESTS)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                # What runs in a shell's background ignores SIGINT, and so would its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        running = folder / "running"
        wait_until(lambda: running.exists() or self.process.poll() is not None, "the test has started its servers")
        assert running.exists(), (folder / "log").read_text()
        said = json.loads(running.read_text())
        self.testing = said["runner"]  # the worker, where there are workers
        self.family = guard.family("", {(self.process.pid, guard.started(self.process.pid))})
        assert {self.process.pid, self.testing, *said["servers"]} <= self.family

    def wait_gone(self):
        """Nothing is left of it, also of what it had not yet told anybody."""
        assert self.process.wait(PATIENCE_S) != 0
        wait_until(lambda: not any(map(running, self.family)), "the runner's whole family has ended")


def running(pid):
    return (guard.stat(pid) or ["Z"])[0] != "Z"


@pytest.fixture
def start(tmp_path_factory):
    runners = []
    folder = tmp_path_factory.mktemp("run")  # a short name: the path of a server's socket has 107 bytes at most
    yield lambda *words: runners.append(Runner(folder, *words)) or runners[-1]
    for runner in runners:
        runner.process.kill()
        runner.process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_runner_that_is_killed(start, number):
    runner = start()
    runner.process.send_signal(number)
    runner.wait_gone()


def test_a_runner_whose_worker_is_killed(start):
    runner = start("--numprocesses", "1", "--max-worker-restart", "0")
    os.kill(runner.testing, signal.SIGKILL)
    runner.wait_gone()


def test_a_runner_that_is_killed_beside_its_worker(start):
    runner = start("--numprocesses", "1")
    runner.process.kill()
    runner.wait_gone()
