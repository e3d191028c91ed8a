"""What a burst takes of the daemon's memory, and that it is given back: unknown fields, slow bodies, slow heads."""

import json
import random
import signal
import socket
from contextlib import ExitStack

import pytest

from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import SANITIZED
from harness.player import Player, accepted, run
from harness.process import memory
from harness.raw import RawConnection, post
from harness.records import proto
from harness.service import wait_until

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is its own")

MIB = 1024 * 1024
CROWD = 800
NEAR = 10 * MIB          # what the daemon may keep after a burst: its tables and spare buffers
GIVEN_BACK_S = 20
BODY = 64 * 1024


@pytest.fixture
def daemon(new_minuted, redis):
    return new_minuted(redis).start(NOW_MS)


@pytest.fixture
def session(daemon):
    session = Player(daemon, "teacher-1").open("open-1")
    daemon.advance(MINUTE_MS)
    Player(daemon, "teacher-1").send(session, run(0, 500))  # whatever is made once is made
    return session


def unknown_protobuf_fields(session):
    """65 kB: a good heartbeat, and 2,400 fields that nobody knows, at the top and within a run."""
    known = proto("player").HeartbeatRequest(session_token=session.token.encode(), runs=[
        proto("player").Run(**run(0, 1000))]).SerializeToString()
    unknown = b"\x9a\x06\x17" + b"x" * 23
    return post("/v1/heartbeats", known + unknown * 2400, content_type="application/protobuf")


def unknown_json_members(session):
    """64 KiB: a good heartbeat, and thousands of members that nobody knows, whose names have escapes."""
    text = json.dumps(session.heartbeat(run(0, 1000)))[:-1]
    member = ', "\\n": {"\\t": [1, "\\u0041"]}'
    return post("/v1/heartbeats", text + member * ((BODY - len(text) - 1) // len(member)) + "}")


def check_given_back(daemon, before):
    wait_until(lambda: memory(daemon.process.pid) < before + NEAR, "the memory is given back", GIVEN_BACK_S)


@pytest.mark.parametrize("make", [unknown_protobuf_fields, unknown_json_members])
def test_unknown_fields_one_after_another(daemon, session, make):
    request, before = make(session), memory(daemon.process.pid)
    for _ in range(4):
        with RawConnection(daemon.port) as c:
            for _ in range(750):
                status, _, answer = c.send(request).response()
                assert status == 200 and json_or_protobuf(make, answer) == 1
    assert memory(daemon.process.pid, "VmHWM") < before + NEAR


def json_or_protobuf(make, answer):
    """How many results ANSWER has."""
    if make is unknown_json_members:
        return len(json.loads(answer)["results"])
    return len(proto("player").HeartbeatResponse.FromString(answer).results)


@pytest.mark.parametrize("make", [unknown_protobuf_fields, unknown_json_members])
def test_unknown_fields_at_once_while_redis_stands_still(daemon, session, redis, make):
    """All of them wait for Redis together: each with what it asks for, and not with what it brought along."""
    request, before = make(session), memory(daemon.process.pid)
    with ExitStack() as stack:
        crowd = [stack.enter_context(RawConnection(daemon.port)) for _ in range(CROWD)]
        redis.signal(signal.SIGSTOP)
        try:
            for connection in crowd:
                connection.send(request)
        finally:
            redis.signal(signal.SIGCONT)
        assert {connection.response()[0] for connection in crowd} <= {200, 503}
    assert memory(daemon.process.pid, "VmHWM") < before + CROWD * BODY
    check_given_back(daemon, before)


def held(daemon, data):
    """CROWD connections that have sent DATA, all of which the daemon has read."""
    crowd = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(CROWD)]
    for connection in crowd:
        connection.sendall(data)
    wait_until(lambda: daemon.metric("minuted_http_open_connections") >= CROWD, "all are open")
    return crowd


@pytest.mark.parametrize("head, body", [(0, BODY), (7000, 0), (15_000, 30_000)])
def test_slow_requests_leave_nothing_behind(daemon, session, head, body):
    lines = ("POST /v1/heartbeats HTTP/1.1", "Host: x", "Content-Type: application/json",
             f"Content-Length: {body or 1}")
    data = "\r\n".join([*lines, f"X-Filler: {'x' * head}"]).encode()
    if body > 0:
        data += b"\r\n\r\n" + b" " * (body - 1)
    before = memory(daemon.process.pid)
    for _ in range(2):
        crowd = held(daemon, data)
        wait_until(lambda: memory(daemon.process.pid) > before + CROWD * (head + body) * 0.8, "all of it was read")
        random.Random(1).shuffle(crowd)
        for connection in crowd[:-20]:
            connection.close()
        # A few that stay hold up nobody else's memory.
        check_given_back(daemon, before + 20 * 2 * BODY)
        for connection in crowd[-20:]:
            connection.close()
        check_given_back(daemon, before)
    assert Player(daemon, "teacher-1").send(session, run(500, 1500)) == [accepted(1)]
