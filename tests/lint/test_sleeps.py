"""tests/check_sleeps finds what sleeps without a reason, and nothing else."""

import subprocess
from pathlib import Path

import pytest

CHECK_SLEEPS = Path(__file__).parents[1] / "check_sleeps"
PYTHON, C = "test_a.py", "test_a.c"
SLEEPS = [  # in a list, so that this file does not sleep itself
    (PYTHON, "time.{}(1)"), (PYTHON, "    time.{}(x)  # for a while"), (PYTHON, "from time import monotonic, {}"),
    (PYTHON, "time.{}(1)  # sleeps: no"), (PYTHON, "# sleeps: the clock is tested\nx = 1\ntime.{}(1)"),
    ("storm", "#!/usr/bin/env python3\ntime.{}(1)"),
    (C, "{}(1);"), (C, "u{}(200);"), ("test_a.h", "nano{}(&(struct timespec){{1, 0}}, NULL); /* a while */"),
]
AWAKE = [
    (PYTHON, "await asyncio.{}(1)"), (PYTHON, "x = 1  # time.{}(1)"), (PYTHON, "# sleeps: the clock is tested\ntime.{}(1)"),
    (PYTHON, "time.{}(1)  # sleeps: the clock is tested"), (C, "/* sleeps: a server is asked again */\nu{}(200);"),
    (C, "u{}(200); /* sleeps: a server is asked again */"), (C, "int as{}(void); /* as {}(1) does */"),
    ("notes.md", "time.{}(1)"), ("storm", "#!/bin/sh\n# time.{}(1)"),
]


def check(folder, name, text):
    (folder / name).write_text(text.format(*["sleep"] * 2) + "\n")
    done = subprocess.run([CHECK_SLEEPS, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name,text", SLEEPS)
def test_what_sleeps(tmp_path, name, text):
    status, output = check(tmp_path, name, text)
    assert status == 1
    assert f"{name}:{text.count(chr(10)) + 1}: a test sleeps" in output


@pytest.mark.parametrize("name,text", AWAKE)
def test_what_does_not(tmp_path, name, text):
    assert check(tmp_path, name, text) == (0, "sleeps: 0 without a reason\n")
