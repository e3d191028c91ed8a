"""Replays proto/vectors against a real daemon: what integrators are told is what it does."""

import base64
import importlib
import json
import re
import subprocess
import sys

import pytest

from harness.catalog import NOW_MS
from harness.daemon import ROOT
from harness.player import Player, accepted, platform_token
from harness.records import proto

VECTORS = ROOT / "proto" / "vectors"
PLAYER = VECTORS / "player.json"
RECORDS = VECTORS / "records.json"
FILES = sorted(path for path in VECTORS.glob("*.json") if path not in (PLAYER, RECORDS))
PROTOBUF = ("application/protobuf", "application/x-protobuf")
LATENESS_MS = 500


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "catalog.yaml"
    path.write_text((VECTORS / "catalog.yaml").read_text())
    return path


@pytest.fixture(scope="session")
def messages(tmp_path_factory):
    """The messages of player.proto."""
    out = tmp_path_factory.mktemp("player_proto")
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", "player.proto"], check=True)
    sys.path.insert(0, str(out))
    try:
        return importlib.import_module("player_pb2")
    finally:
        sys.path.remove(str(out))


# --- protobuf messages as plain values ------------------------------------------------------------------


def fill_message(message, fields):
    """FIELDS into MESSAGE: bytes are written as text, enums by name."""
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type:
            for element in value:
                fill_message(getattr(message, name).add(), element)
        elif field.enum_type:
            setattr(message, name, field.enum_type.values_by_name[value].number)
        else:
            setattr(message, name, value.encode() if field.type == field.TYPE_BYTES else value)
    return message


def plain_field(field, value):
    if field.label == field.LABEL_REPEATED:
        return [plain(element) for element in value]
    if field.message_type:
        return plain(value)
    if field.enum_type:
        return field.enum_type.values_by_number[value].name
    return value.decode() if field.type == field.TYPE_BYTES else value


def plain(message):
    return {field.name: plain_field(field, value) for field, value in message.ListFields()}


# --- requests ----------------------------------------------------------------------------------------------


class Replay:
    """One vector: its learner, its clock, and what its placeholders stand for."""

    def __init__(self, vector, daemon, messages):
        self.vector, self.daemon, self.messages = vector, daemon, messages
        self.kept = {}
        self.now_ms = vector["clock_ms"]

    def token_of(self, learner):
        return platform_token(learner or self.vector["learner"], self.vector["portal"], self.vector["clock_ms"])

    def filled(self, value):
        """VALUE with its placeholders replaced."""
        if isinstance(value, dict) and "${repeat}" in value:
            return [self.filled(value["value"])] * value["${repeat}"]
        if isinstance(value, dict):
            return {k: self.filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.filled(v) for v in value]
        if not isinstance(value, str):
            return value
        value = re.sub(r"\$\{platform_token(?::([^}]*))?\}", lambda m: self.token_of(m[1]), value)
        return re.sub(r"\$\{(\w+)\}", lambda m: self.kept[m[1]], value)

    def message(self, name, fields=None):
        return fill_message(getattr(self.messages, name)(), fields or {})

    def body(self, request):
        if "text" in request:
            return request["text"].encode()
        if "base64" in request:
            return base64.b64decode(request["base64"])
        if "json" in request:
            return json.dumps(self.filled(request["json"])).encode()
        if "protobuf" not in request:
            return None
        golden = request["protobuf"]
        encoded = self.message(golden["message"], golden["fields"]).SerializeToString()
        assert base64.b64encode(encoded).decode() == golden["base64"], "these are not the bytes of these fields"
        return self.message(golden["message"], self.filled(golden["fields"])).SerializeToString()

    def send(self, request):
        return self.daemon.client.request(
            request["method"], self.daemon.base + request["path"], self.body(request), content_type=None,
            headers=self.filled(request.get("headers", {})))

    # --- answers ---

    def match_text(self, expected, value, where):
        name = re.fullmatch(r"\$\{(\w+)(?:\+(\d+))?\}", expected)
        if name is None:
            assert value == expected, where
        elif name[1] == "number":
            assert isinstance(value, (int, float)) and not isinstance(value, bool), where
        elif name[1] == "time":
            assert isinstance(value, int), where
            late = value - self.now_ms - int(name[2] or 0)
            assert 0 <= late < LATENESS_MS, f"{where}: {late} ms after the clock"
        else:
            assert isinstance(value, str) and value, where
            if name[1] != "string":
                assert self.kept.setdefault(name[1], value) == value, where

    def match(self, expected, value, where):
        if isinstance(expected, dict):
            assert isinstance(value, dict), where
            for key, item in expected.items():
                assert key in value, f"{where}.{key} is missing"
                self.match(item, value[key], f"{where}.{key}")
        elif isinstance(expected, list):
            assert isinstance(value, list) and len(value) == len(expected), f"{where}: {value}"
            for i, (item, element) in enumerate(zip(expected, value)):
                self.match(item, element, f"{where}[{i}]")
        elif isinstance(expected, str):
            self.match_text(expected, value, f"{where}: {value!r}")
        else:
            assert value == expected and isinstance(value, bool) == isinstance(expected, bool), f"{where}: {value!r}"

    def match_headers(self, expected, response):
        for name, value in expected.items():
            got = response.headers.get(name)
            if value is None:
                assert got is None, f"{name}: {got}"
            else:
                got = response.content_type if name == "content-type" else got
                self.match_text(value, got, f"{name}: {got}")

    def match_answer(self, answer, response):
        assert response.status == answer["status"], response
        self.match_headers(answer.get("headers", {}), response)
        if "json" in answer:
            self.match(answer["json"], response.json(), "answer")
        if "protobuf" in answer:
            message = self.message(answer["protobuf"]["message"])
            message.ParseFromString(response.body)
            self.match(answer["protobuf"]["fields"], plain(message), "answer")

    def replace_catalog(self, name, catalog):
        catalog.write_text((VECTORS / name).read_text())
        self.daemon.reload()

    def play(self, catalog):
        for i, step in enumerate(self.vector["steps"]):
            self.now_ms = self.vector["clock_ms"] + step.get("after_ms", 0)
            if "catalog" in step:
                self.replace_catalog(step["catalog"], catalog)
                continue
            self.daemon.set_clock(self.now_ms)
            try:
                self.match_answer(step["answer"], self.send(step["request"]))
            except AssertionError as e:
                raise AssertionError(f"{self.vector['name']}, step {i + 1}: {e}") from None


def problem_of(vector, daemon, messages, catalog):
    try:
        Replay(vector, daemon, messages).play(catalog)
    except AssertionError as e:
        return str(e)
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vectors(path, new_minuted, redis, messages, catalog):
    vectors = json.loads(path.read_text())["vectors"]
    daemon = new_minuted(redis).start(vectors[0]["clock_ms"])
    problems = [problem_of(vector, daemon, messages, catalog) for vector in vectors]
    assert not [p for p in problems if p], "\n".join(p for p in problems if p)


def test_every_reason_has_a_vector():
    text = "".join(path.read_text() for path in FILES)
    reasons = re.findall(r"^  ([A-Z_]+) = \d+;", (ROOT / "proto" / "player.proto").read_text().split("enum Reason")[1], re.M)
    missing = [r for r in reasons if f'"{r.lower()}"' not in text]
    assert missing == ["UNAVAILABLE"]  # needs a Redis that is away; the tests of outages have it


# --- the runs of player.json -----------------------------------------------------------------------------


def seconds_of(run, anchor_ms):
    """How many whole seconds of the wall clock it claims."""
    return -(-(anchor_ms + run["to_ms"]) // 1000) - -(-(anchor_ms + run["from_ms"]) // 1000)


def problem_of_runs(vector, daemon):
    """What the daemon has against the vector's runs, once their time has passed."""
    player = Player(daemon, vector["name"])
    session = player.open("open-1")
    daemon.advance(vector["samples"][-1]["at_ms"])
    answer = player.post(session.heartbeat(*vector["runs"]))
    wanted = [accepted(seconds_of(run, session.anchor_ms)) for run in vector["runs"]]
    return None if answer.status == 200 and answer.json()["results"] == wanted else f"{vector['name']}: {answer}"


def test_the_runs_of_players_are_credited_in_full(minuted):
    vectors = json.loads(PLAYER.read_text())["vectors"]
    minuted.set_clock(NOW_MS + LATENESS_MS)
    problems = [problem_of_runs(vector, minuted) for vector in vectors]
    assert not [p for p in problems if p], "\n".join(p for p in problems if p)


# --- records ------------------------------------------------------------------------------------

@pytest.mark.parametrize("vector", json.loads(RECORDS.read_text())["vectors"], ids=lambda vector: vector["name"])
def test_both_forms_of_a_record_say_the_same(vector):
    """The daemon's own test compares what it writes with these; here any reader of protobuf does."""
    message = getattr(proto("records"), vector["schema"].rpartition(".")[2]).FromString(bytes.fromhex(vector["protobuf"]))
    said = dict(vector["json"])
    if "seconds_mask" in said:
        assert re.fullmatch("[0-9a-f]{15}", said["seconds_mask"])
        said["seconds_mask"] = int(said["seconds_mask"], 16)
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label == field.LABEL_REPEATED:
            assert list(value) == said.pop(field.name)
        elif message.HasField(field.name):
            assert value == said.pop(field.name)
    assert not said, "JSON has more"
