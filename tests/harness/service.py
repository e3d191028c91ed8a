"""A child process with a folder and a log of its own: started, waited for, stopped by its process id."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from . import guard

SANITIZER_WORDS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")


# How long a test waits for what must come. It only bounds a hang: whoever has waited so long has failed, so it is far
# more than a busy machine needs, and nothing is judged by how long something took.
PATIENCE_S = 120.0

# Below those that the system gives to whoever asks for any, and none that browsers refuse (10080); in an order of this
# process, none of them twice.
PORTS = iter(random.SystemRandom().sample(range(10_100, 32_000), 21_900))

# A port that has been found free belongs to this process as long as it lives, since some time passes before a server
# listens there: byte N of this file is locked by the test program whose port is N. tests/integration/redis_process.c
# does the same.
CLAIMS = os.open(f"/tmp/minuted-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def claim_port(port):
    try:
        fcntl.lockf(CLAIMS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    except OSError:
        return False


def free_port():
    for port in PORTS:
        if not claim_port(port):
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is left")


def wait_until(condition, what, seconds=PATIENCE_S, every=0.05):
    """Waits for a true value of condition() and returns it; its exceptions count as not yet."""
    deadline = time.monotonic() + seconds
    problem = None
    while time.monotonic() < deadline:
        try:
            value = condition()
            if value:
                return value
            problem = f"last value {value!r}"
        except Exception as e:  # noqa: BLE001 - told below
            problem = repr(e)
        time.sleep(every)  # sleeps: it looks again and again
    raise AssertionError(f"not within {seconds} s: {what} ({problem})")


def environment(more=None):
    """The tests' own environment without what would configure the daemon, and MORE."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("MINUTED_")}, **(more or {})}


class Service:
    name = "service"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / f"{self.name}.log"
        self.process = None
        self.prefix = []  # a program that sets limits and then becomes this one: prlimit, env
        self.environment = {}

    def spawn(self, argv, env=None):
        """A child that ends with this process, however this one ends."""
        assert not self.running(), f"{self.name} is running already"
        guarded = guard.begin()  # its mark is in the child's environment
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(a) for a in [*self.prefix, *argv]], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, env=environment({**(env or {}), **self.environment}), start_new_session=True)
        guarded.keep(self.process)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, probe, seconds=PATIENCE_S):
        try:
            wait_until(lambda: not self.running() or probe(), f"{self.name} is ready", seconds)
        except AssertionError as e:
            self.kill()
            raise AssertionError(f"{e}\n{self.log_tail()}") from None
        assert self.running(), f"{self.name} ended with {self.process.returncode}\n{self.log_tail()}"

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=60):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def wait_log(self, text, seconds=PATIENCE_S):
        wait_until(lambda: text in self.log_text(), f"{self.name} logs {text!r}", seconds)

    def signal(self, number):
        self.process.send_signal(number)

    @contextmanager
    def paused(self):
        """It stands still, as on a machine that is suspended."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def wait_exit(self, seconds=PATIENCE_S):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s\n{self.log_tail()}") from None

    def terminate(self, seconds=PATIENCE_S):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait_exit(seconds)

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def sanitizer_report(self):
        text = self.log_text()
        at = min((text.find(w) for w in SANITIZER_WORDS if w in text), default=-1)
        return text[max(0, at - 200):at + 4000] if at >= 0 else ""
