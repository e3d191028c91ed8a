"""proto/openapi.yaml against the running daemon, by schemathesis: requests made from the specification, good ones and
spoiled ones, and every answer held against it. Tokens are real, so that more than errors is seen."""

import json
import subprocess
import zlib
from pathlib import Path

import pytest
import yaml

from harness.daemon import ROOT
from harness.player import Player
from harness.service import environment

HERE = Path(__file__).parent
SPEC = ROOT / "proto" / "openapi.yaml"
HOUR_MS = 3_600_000
PLAYED_MS = 2 * HOUR_MS
LESSONS = ("open-1", "open-2", "ten-minutes", "winter-1", "past-1", "future-1")
SEED = zlib.crc32(SPEC.read_bytes())  # of the specification, so that what was found is found again

# What must have been seen, or not enough was.
SEEN = {
    "GET /v1/progress": (200, 401, 405),
    "GET /v1/{file}": (200, 304, 404, 405),
    "HEAD /v1/{file}": (200, 304, 404),
    "POST /v1/sessions": (201, 400, 401, 403, 415),
    "POST /v1/heartbeats": (200, 400, 401, 405, 410, 415),
    "OPTIONS /v1/sessions": (204,),
    "through a link": (200,),
}
SEEN_RESULTS = ("accepted", "credited seconds", "retry ahead_of_clock", "rejected malformed", "rejected token_invalid",
                "rejected session_expired", "rejected too_long", "rejected rate_too_high", "rejected media_mismatch",
                "rejected outside_lesson")


@pytest.fixture(scope="session")
def python():
    """Of an environment that has schemathesis."""
    done = subprocess.run([HERE / "fetch"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()) / "bin" / "python"


@pytest.fixture(scope="module")
def known(shared, tmp_path_factory):
    """What the hooks are told: sessions of a learner who has played for two hours, and one long expired."""
    player = Player(shared, "teacher-1")
    expired = player.open("open-3")
    shared.advance(29 * HOUR_MS)
    sessions = [player.open(lesson) for lesson in LESSONS[:4]]
    shared.advance(PLAYED_MS)
    path = tmp_path_factory.mktemp("openapi") / "known.json"
    path.write_text(json.dumps({
        "platform_token": player.token, "session_tokens": [session.token for session in (*sessions, expired)],
        "lessons": LESSONS, "played_ms": PLAYED_MS}))
    return path


@pytest.fixture
def check(python, shared, known, tmp_path):
    """Runs schemathesis on a specification; gives back its exit code and output, and the answers counted by kind."""
    told = json.loads(known.read_text())
    counts = tmp_path / "counts.json"
    env = environment({
        "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "SCHEMATHESIS_HOOKS": "hooks",
        "PLATFORM_TOKEN": told["platform_token"], "SESSION_TOKEN": told["session_tokens"][0],
        "MINUTED_OPENAPI_KNOWN": str(known), "MINUTED_OPENAPI_COUNTS": str(counts)})

    def run(spec, *more):
        done = subprocess.run(
            [python, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run", spec, "--no-color",
             "--url", f"http://127.0.0.1:{shared.port}{shared.base}", "--seed", str(SEED), *more],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, cwd=tmp_path, env=env)
        return done.returncode, done.stdout, json.loads(counts.read_text()) if counts.exists() else {}

    return run


def test_the_specification_is_valid_and_so_are_its_examples(python):
    done = subprocess.run([python, HERE / "check_spec.py", SPEC], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-4]) > 20, done.stdout


def test_the_daemon_does_what_the_specification_says(check):
    code, output, counts = check(SPEC)
    print(output, json.dumps(counts, indent=1))
    assert code == 0, "schemathesis found something: see above"
    wanted = [f"{what} {status}" for what, statuses in SEEN.items() for status in statuses]
    unseen = [name for name in (*wanted, *SEEN_RESULTS) if not counts.get(name)]
    assert not unseen, f"never answered, so not checked: {unseen}"


def forget_the_status(spec):
    del spec["paths"]["/v1/heartbeats"]["post"]["responses"]["200"]


def want_another_member(spec):
    spec["components"]["schemas"]["HeartbeatResponse"]["required"].append("credited_minutes")


def want_another_header(spec):
    spec["components"]["headers"]["CacheControl"]["schema"]["const"] = "public"


@pytest.mark.parametrize("spoil", [forget_the_status, want_another_member, want_another_header])
def test_a_wrong_specification_is_found(check, tmp_path, spoil):
    spec = yaml.safe_load(SPEC.read_text())
    spoil(spec)
    path = tmp_path / "openapi.yaml"
    path.write_text(yaml.safe_dump(spec, allow_unicode=True))
    code, output, _ = check(path, "--phases", "examples")
    assert code == 1, output
