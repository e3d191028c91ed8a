"""The SDK's recorder against proto/vectors/player.json, as an app team checks its own."""

import json
import subprocess
from pathlib import Path

import pytest

from harness.daemon import ROOT

RECORDER = ROOT / "daemon" / "web" / "sdk" / "recorder.js"
PLAYER = ROOT / "proto" / "vectors" / "player.json"
VECTORS = {vector["name"]: vector for vector in json.loads(PLAYER.read_text())["vectors"]}


@pytest.fixture(scope="module")
def recorded():
    """What the SDK makes of all vectors: name -> runs."""
    runner = Path(__file__).parent / "record.mjs"
    done = subprocess.run(["node", runner, RECORDER, PLAYER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", VECTORS)
def test_the_sdk_cuts_runs_as_the_vectors_say(name, recorded):
    vector = VECTORS[name]
    assert recorded[name] == vector["runs"], vector["why"]
