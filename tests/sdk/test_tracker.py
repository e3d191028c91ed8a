"""The SDK in a virtual world: tracker.test.mjs, which Node runs."""

import re
import subprocess
from pathlib import Path

TESTS = Path(__file__).parent / "tracker.test.mjs"


def test_what_is_credited_is_what_was_played():
    done = subprocess.run(["node", "--test", TESTS], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed and int(passed[1]) > 160, done.stdout
