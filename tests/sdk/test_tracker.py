"""The SDK in a virtual world: tracker.test.mjs, which Node runs."""

import re
import subprocess
from pathlib import Path

TESTS = Path(__file__).parent / "tracker.test.mjs"
# They compute all the time, so they run side by side. Each test is in exactly one part. Node runs all if its own outermost
# test, "<root>", matches.
PARTS = ("/^(?!a crowd asks|life |<)./", "/^a crowd asks/", "/^life /")


def number_of(what, said):
    found = re.search(rf"^# {what} (\d+)$", said, re.MULTILINE)
    assert found, said
    return int(found[1])


def test_what_is_credited_is_what_was_played():
    parts = [subprocess.Popen(["node", "--test", "--test-name-pattern", part, TESTS], stdout=subprocess.PIPE, text=True)
             for part in PARTS]
    said = [part.communicate(timeout=1800)[0] for part in parts]
    for part, words in zip(parts, said):
        assert part.returncode == 0, words
    tests = number_of("tests", said[0])
    assert tests > 160 and sum(number_of("pass", words) for words in said) == tests, said
