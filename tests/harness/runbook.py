"""Runs the procedures of config/RUNBOOK.md as they stand there.

A procedure is a section of the page; a step is a block of it that begins with ```sh and a name. If a block that begins with
```text follows before the next step, it is what the step prints: `…` stands for anything within a line, a line of `…` alone
for any lines. Lines of the log are left out. Where the page says systemctl and journalctl, the test's own servers are meant.
"""

import os
import re
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from .daemon import BUILD, ROOT, SANITIZERS
from .service import PATIENCE_S, environment, wait_until

PAGE = ROOT / "config" / "RUNBOOK.md"
BLOCK = re.compile(r"^```(\w*) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass
class Step:
    name: str
    commands: str
    printed: str | None = None

    def is_as_printed(self, output):
        if self.printed is None:
            return True
        lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
                 for line in self.printed.splitlines()]
        return re.fullmatch("".join(lines), output) is not None


def anchor_of(title):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def procedures(page=None):
    """anchor -> the steps of that section, in order."""
    found = {}
    for section in re.split(r"^#+ ", page or PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        steps = found.setdefault(anchor_of(title), [])
        for language, name, content in BLOCK.findall(text):
            if language == "sh":
                steps.append(Step(name, content))
            elif language == "text":
                assert steps and steps[-1].printed is None, f"{title}: this is printed by no step:\n{content}"
                steps[-1].printed = content
    return found


class Machine:
    """Where an operator types: the programs, and UNITS, by the names that systemctl knows them by."""

    def __init__(self, directory, units, dev=True):
        self.directory, self.units = Path(directory), units
        self.directory.mkdir(parents=True)
        self.bin = self.directory / "bin"
        self.bin.mkdir()
        # The clock of a daemon with --dev can be moved, and whoever shares its Redis must have --dev, too.
        self.program("minuted", '#!/bin/sh\ncase "$*" in *--create-topics) dev= ;; *) dev=' +
                     ("--dev" if dev else "") + f' ;; esac\nexec "{BUILD}/minuted" $dev "$@"\n')
        (self.bin / "minuted-ledger").symlink_to(BUILD / "minuted-ledger")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / "systemd"))
        self.listener.listen()
        for name in ("systemctl", "journalctl"):
            self.program(name, '#!/usr/bin/python3 -IS\nimport socket, sys\ns = socket.socket(socket.AF_UNIX)\n'
                               f's.connect("{self.directory}/systemd")\ns.sendall("\\0".join(sys.argv).encode())\n'
                               's.shutdown(1)\nanswer = s.makefile().read()\nsys.stdout.write(answer[1:])\n'
                               'sys.exit(answer[:1] != "+")\n')
        threading.Thread(target=self.serve, daemon=True, name="systemd").start()

    def program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as stream:
                try:
                    stream.write("+" + self.obey(stream.read().split("\0")))
                except Exception as e:  # noqa: BLE001 - told to whoever asked
                    stream.write(f"-{e!r}\n")

    def obey(self, words):
        program, *words = words
        if Path(program).name == "journalctl":
            unit, = re.fullmatch(r"-u (\S+) -o cat", " ".join(words)).groups()
            return self.units[unit].log_text()
        verb, unit = words
        service = self.units[unit]
        if verb in ("stop", "restart") and service.running():
            service.terminate()
        if verb in ("start", "restart"):
            service.start()
        if verb == "reload":
            service.reload()
        assert verb in ("start", "stop", "restart", "reload"), verb
        return ""

    def close(self):
        self.listener.close()


class Procedure:
    """One section, of which a test runs every step: in order, again where it must, and none of its own."""

    def __init__(self, anchor):
        self.anchor, self.steps, self.next = anchor, procedures()[anchor], 0

    def run(self, name, machine, values, until=None):
        """Runs the step NAME at MACHINE with VALUES in place of the page's; prints what the page says, or UNTIL it does."""
        names = [step.name for step in self.steps]
        assert name in names, f"{self.anchor} has the steps {names}, and not {name}"
        at = names.index(name)
        assert at <= self.next, f"{self.anchor}: before {name} comes {names[self.next]}"
        self.next = max(self.next, at + 1)
        step = self.steps[at]

        def done():
            code, output = self.execute(step, machine, values)
            if until is None:
                assert code == 0, f"{self.anchor}, {name}: exit status {code}\n{output}"
                assert step.is_as_printed(output), f"{self.anchor}, {name}: the page says\n{step.printed}and it printed\n{output}"
            assert until is None or code == 0 and step.is_as_printed(output), output
            return output or "nothing"
        return wait_until(done, f"{self.anchor}, {name}: {until}") if until else done()

    def execute(self, step, machine, values):
        variables = {**SANITIZERS, **{name: str(value) for name, value in values.items()},
                     "PATH": f"{machine.bin}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", step.commands], cwd=machine.directory, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S, env=environment(variables))
        return done.returncode, re.sub(r"^time=.*\n", "", done.stdout, flags=re.MULTILINE)

    def end(self):
        left = [step.name for step in self.steps[self.next:]]
        assert not left, f"{self.anchor}: the page has steps that the test has not run: {left}"
