"""Runs minuted-bench and reads its results. If a result is void, the load is measured once more."""

import json
import os
import re
import shlex
import subprocess
import time

from . import cores

SECONDS_MAX = 600


class ScenarioProblem(Exception):
    """A scenario cannot be measured. The message says why."""


class Load:
    """The loads of one scenario. Their results go to FOLDER."""

    def __init__(self, build, folder, say):
        self.program = build / "bench/load/minuted-bench"
        self.folder, self.say = folder, say
        self.runs = []  # name, title, command, void: in the order of the page

    def measure(self, name, title, daemon, *words, to=None, watch=(), meanwhile=None):
        """Runs a load with the options WORDS against DAEMON, or against the peer TO, and returns minuted-bench's result.

        WATCH: (name, pid) of each process that is measured. MEANWHILE(start of the load) is called while the load runs.
        """
        argv = self._arguments(name, title, daemon, words, to, watch)
        result = self._once(name, argv, meanwhile)
        if void_reason(result, words):
            self.say(f"{name}: void, once more: {void_reason(result, words)}")
            result = self._once(name, argv, meanwhile)
        return self._keep(name, title, argv, result, void_reason(result, words))

    def deliver(self, name, title, daemon, *words, watch=()):
        """The same for a load of which only the arrival matters, and not how evenly it was sent. It is never void."""
        argv = self._arguments(name, title, daemon, words, None, watch)
        result = self._once(name, argv, None)
        if result["counts"]["rejected"]:
            raise ScenarioProblem(f"{name}: {result['counts']['rejected']:,} runs were rejected")
        return self._keep(name, title, argv, result, None)

    def _keep(self, name, title, argv, result, void):
        self.runs.append({"name": name, "title": title, "command": self._readable(argv), "void": void})
        self.say(f"{name}: {summary(result)}{', VOID' if void else ''}")
        return result

    def _arguments(self, name, title, daemon, words, to, watch):
        first = [] if any(str(word).startswith("max:") for word in words) else cores.punctual()
        argv = [*first, *cores.prefix("load"), self.program, *daemon.options(), "--quiet", "--title", title]
        if to is not None:
            argv += ["--to", f"127.0.0.1:{to.port}"]
        for process, pid in watch:
            argv += ["--watch", f"{process}={pid}"]
        for kind in ("json", "hgrm"):
            argv += [f"--{kind}", self.folder / f"{name}.{kind}"]
        return [str(word) for word in [*argv, *words]]

    def _once(self, name, argv, meanwhile):
        file = self.folder / f"{name}.json"
        file.unlink(missing_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("MINUTED_")}
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, env=clean, start_new_session=True)
        try:
            if meanwhile:
                meanwhile(time.monotonic())
            said, _ = process.communicate(timeout=SECONDS_MAX)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if not file.exists():  # a result is there even after failed assertions, a void result or lost seconds
            raise ScenarioProblem(f"{name}: minuted-bench ended with {process.returncode}: {said.strip()[-600:]}")
        self._forget_paths(name, argv)
        return json.loads(file.read_text())

    def _readable(self, argv):
        """The command without the paths of this run."""
        return shlex.join([self._plain(word) for word in argv])

    def _plain(self, word):
        word = word.replace(str(self.program), "minuted-bench").replace(f"{self.folder}/", "")
        word = re.sub(r"\S*/bench\.[^/]+/\d+\w+", "DIR", word)
        return re.sub(r"^([\w-]+=)\d+$", r"\1PID", word)

    def _forget_paths(self, name, argv):
        """Removes the paths of this run from the result, which records the command too."""
        file = self.folder / f"{name}.json"
        text = file.read_text()
        for word in argv:
            if word != self._plain(word):
                text = text.replace(word, self._plain(word))
        file.write_text(text)


def void_reason(result, words):
    """Why a result is void; None if it is not."""
    if result["void_reason"] or "--any-answer" in words:
        return result["void_reason"]
    counts = result["counts"]
    if not counts["accepted"]:
        return "nothing was accepted"
    if counts["credited_s"] < counts["accepted"]:  # a run that credits nothing is less work
        return f"{counts['accepted']:,} runs credited only {counts['credited_s']:,} s"
    return None


def summary(result):
    """One line for the terminal."""
    metrics = result["metrics"]
    parts = [f"{metrics['runs_per_s'] or metrics['achieved']:,.0f}/s"]
    if metrics["cpu_per_heartbeat"] is not None:
        parts.append(f"{metrics['cpu_per_heartbeat']:.1f} µs CPU")
    if metrics["p99"] is not None:
        parts.append(f"p99 {metrics['p99'] / 1000:.2f} ms")
    if metrics["refused"] or metrics["failed"]:
        parts.append(f"{metrics['refused']:,.0f} refused, {metrics['failed']:,.0f} failed")
    if result["verification"]:
        parts.append(verdict(result["verification"]))
    return ", ".join(parts)


def verdict(verification):
    if verification["problem"]:
        return f"not verified: {verification['problem']}"
    return f"lost {verification['lost_s']:,} s, extra {verification['extra_s']:,} s"
