"""The players' port on raw sockets: framing, limits, deadlines, methods, content types, CORS."""

import json
import time
from contextlib import ExitStack

import pytest

from harness.catalog import NOW_MS
from harness.http_client import HttpClient
from harness.player import Player, accepted, bearer, patiently, retry, run
from harness.raw import RawConnection, post, request
from harness.records import proto
from harness.service import wait_until

HEARTBEATS = "/v1/heartbeats"
ORIGIN = "https://player.example"
CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")


def connect(minuted):
    return RawConnection(minuted.port)


def check_problem(status, headers, body):
    assert headers["content-type"].startswith("application/problem+json"), headers
    problem = json.loads(body)
    assert problem["status"] == status and problem["title"], problem


def chunk(data, size=None):
    return (size if size is not None else f"{len(data):x}").encode() + b"\r\n" + data + b"\r\n"


FRAMING = {
    "no Host": request(host=None),
    "two Hosts": request(headers=("Host: y",)),
    "two equal Content-Lengths": request("POST", HEARTBEATS, ("Content-Length: 2", "Content-Length: 2"), "{}"),
    "two Content-Lengths": request("POST", HEARTBEATS, ("Content-Length: 2", "Content-Length: 4"), "{}{}"),
    "a list of Content-Lengths": request("POST", HEARTBEATS, ("Content-Length: 2, 2",), "{}"),
    "Content-Length with a sign": request("POST", HEARTBEATS, ("Content-Length: +2",), "{}"),
    "negative Content-Length": request("POST", HEARTBEATS, ("Content-Length: -2",), "{}"),
    "Content-Length in hex": request("POST", HEARTBEATS, ("Content-Length: 0x2",), "{}"),
    "empty Content-Length": request("POST", HEARTBEATS, ("Content-Length: ",), "{}"),
    "Content-Length past 64 bits": request("POST", HEARTBEATS, ("Content-Length: 18446744073709551618",), "{}"),
    "Content-Length beside chunked": request("POST", HEARTBEATS, ("Content-Length: 2", *CHUNKED), "0\r\n\r\n"),
    "chunked beside Content-Length": request("POST", HEARTBEATS, (*CHUNKED, "Content-Length: 2"), "0\r\n\r\n"),
    "xchunked": request("POST", HEARTBEATS, ("Transfer-Encoding: xchunked",), "0\r\n\r\n"),
    "another Transfer-Encoding": request("POST", HEARTBEATS, ("Transfer-Encoding: gzip",), "0\r\n\r\n"),
    "gzip, chunked": request("POST", HEARTBEATS, ("Transfer-Encoding: gzip, chunked",), "0\r\n\r\n"),
    "chunked twice": request("POST", HEARTBEATS, (*CHUNKED, "Transfer-Encoding: chunked"), "0\r\n\r\n"),
    "chunk size in C's hex": request("POST", HEARTBEATS, CHUNKED, chunk(b"{}", "0x2") + b"0\r\n\r\n"),
    "chunk size with a sign": request("POST", HEARTBEATS, CHUNKED, chunk(b"{}", "+2") + b"0\r\n\r\n"),
    "chunk size past 64 bits": request("POST", HEARTBEATS, CHUNKED, chunk(b"{}", "10000000000000002")),
    "chunk without its end": request("POST", HEARTBEATS, CHUNKED, b"2\r\n{}XX0\r\n\r\n"),
    "folded header": request(headers=("X-A: b", " c")),
    "space before the colon": request(headers=("X-A : b",)),
    "header without a colon": request(headers=("X-A",)),
    "header without a name": request(headers=(": b",)),
    "NUL in a header": request(headers=("X-A: b\0c",)),
    "bare CR in a header": request(headers=("X-A: b\rc",)),
    "no version": b"GET /v1/progress\r\nHost: x\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80),
    "space in the target": b"GET /v1/pro gress HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", FRAMING)
def test_a_framing_violation_is_400_and_the_connection_closes(shared, name):
    with connect(shared) as c:
        c.send(FRAMING[name] + request(path="/v1/smuggled"))
        status, headers, body = c.response()
        assert status == 400, (status, body)
        check_problem(400, headers, body)
        assert c.closed(), f"something more came: {c.buffer!r}"


def test_the_daemon_serves_on_after_every_violation(shared, shared_player):
    for data in FRAMING.values():
        with connect(shared) as c:
            c.send(data)
    assert shared_player.try_open("open-1").status == 201


def heartbeat_body(player, lesson="open-1"):
    session = player.open(lesson)
    player.daemon.advance(60_000)
    return json.dumps(session.heartbeat(run(0, 30_000)))


def test_chunked_body(shared, shared_player):
    body = heartbeat_body(shared_player).encode()
    with connect(shared) as c:
        c.send(request("POST", HEARTBEATS, CHUNKED, chunk(body[:7]) + chunk(body[7:]) + b"0\r\n\r\n"))
        status, _, answer = c.response()
        assert status == 200 and json.loads(answer)["results"] == [accepted(30)]


def test_pipelined_requests_are_answered_in_order(shared, shared_player):
    body = heartbeat_body(shared_player)
    with connect(shared) as c:
        c.send(post(HEARTBEATS, body) + request(path="/nowhere") + post(HEARTBEATS, body) +
               request(headers=(f"Authorization: Bearer {shared_player.token}",)))
        answers = [c.response() for _ in range(4)]
    assert [a[0] for a in answers] == [200, 404, 200, 200]
    assert json.loads(answers[0][2])["results"] == [accepted(30)]
    assert json.loads(answers[2][2])["results"] == [accepted(0, 30)]
    assert json.loads(answers[3][2])["total"]["watched_seconds"] == 30


def test_a_request_byte_by_byte(shared, shared_player):
    body = heartbeat_body(shared_player)
    with connect(shared) as c:
        c.trickle(post(HEARTBEATS, body), 0.001)
        assert c.response()[0] == 200


def test_200_pipelined_heartbeats(shared, shared_player):
    body = heartbeat_body(shared_player)
    with connect(shared) as c:
        c.send(post(HEARTBEATS, body) * 200)
        assert [c.response()[0] for _ in range(200)] == [200] * 200


def test_connection_close_is_honoured(shared):
    with connect(shared) as c:
        c.send(request(headers=("Connection: close",)))
        assert c.response()[0] == 401 and c.closed()


def test_http_1_0_is_answered_and_closed(shared):
    with connect(shared) as c:
        c.send(b"GET /v1/progress HTTP/1.0\r\nHost: x\r\n\r\n")
        assert c.response()[0] == 401 and c.closed()


# --- limits and deadlines -----------------------------------------------------------------------

@pytest.fixture
def strict(new_minuted, redis):
    return new_minuted(redis, changes={"http": {
        "workers": 1, "header_timeout": "1s", "request_timeout": "2s", "idle_timeout": "3s", "max_body": "4KiB",
        "max_connections": 4}}).start(NOW_MS)


def check_408_amid(connection, data, every):
    """The answer comes while there is still something to send."""
    assert connection.trickle(data, every) < len(data)
    status, headers, body = connection.response()
    check_problem(408, headers, body)
    assert status == 408 and connection.closed()


def test_a_trickle_of_headers_is_408(strict):
    with connect(strict) as c:
        check_408_amid(c, request(headers=("X-A: " + "b" * 60,))[:50], 0.1)


def test_a_trickle_of_a_body_is_408(strict):
    with connect(strict) as c:
        check_408_amid(c, post(HEARTBEATS, "{" + " " * 400 + "}")[:-100], 0.01)


def test_a_request_that_never_ends_is_408(strict):
    with connect(strict) as c:
        c.send("GET /v1/pro")
        assert c.response()[0] == 408 and c.closed()


def test_an_idle_connection_is_closed_silently(strict):
    with connect(strict) as c:
        c.send(request())
        assert c.response()[0] == 401
        assert c.closed()


def test_one_connection_too_many_is_503(strict):
    strict.client.close()
    wait_until(lambda: strict.metric("minuted_http_open_connections") == 0, "nobody is connected")
    held = [connect(strict) for _ in range(4)]
    try:
        for c in held:
            c.send(request())
            assert c.response()[0] == 401
        with connect(strict) as c:
            status, headers, body = c.response()
            assert status == 503 and int(headers["retry-after"]) > 0
            check_problem(503, headers, body)
            assert c.closed()
        assert held[0].send(request()).response()[0] == 401
    finally:
        for c in held:
            c.socket.close()


def test_silent_connections_keep_nobody_out(new_minuted, redis):
    """As many as there are places, on both ports; and clients that begin a request and leave it at that."""
    minuted = new_minuted(redis, changes={"http": {"workers": 2, "max_connections": 200}}).start(NOW_MS)
    players = [Player(minuted, f"teacher-{i}") for i in range(20)]
    with ExitStack() as stack:
        for said in (b"", b"POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"):
            crowd = [stack.enter_context(connect(minuted)) for _ in range(200)]
            for c in crowd:
                c.send(said)
            for i in range(200):
                stack.enter_context(RawConnection(minuted.admin_port))
            for player in players:
                player.client = HttpClient(minuted.port)
                stack.callback(player.client.close)
                session = player.open("open-1")
                assert player.send(session, run(0, 1))[0]["status"] == "accepted"
            assert minuted.is_ready() and minuted.is_live()
        for player in players:  # whoever has been answered just now is not sent away
            assert player.ask_progress().status == 200
        assert minuted.metric("minuted_http_yielded_connections_total") >= 40


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
def test_too_large_a_body_is_413(strict, framing):
    body = b"{" + b" " * 8000 + b"}"
    with connect(strict) as c:
        if framing == "chunked":
            c.send(request("POST", HEARTBEATS, CHUNKED, chunk(body) + b"0\r\n\r\n"))
        else:
            c.send(post(HEARTBEATS, body))
        status, headers, answer = c.response()
        assert status == 413
        check_problem(413, headers, answer)


def test_a_body_of_a_mebibyte_is_413_before_it_was_sent(shared):
    with connect(shared) as c:
        c.send(request("POST", HEARTBEATS, ("Content-Type: application/json", "Content-Length: 1048576")))
        assert c.response()[0] == 413


@pytest.mark.parametrize("headers", [("X-A: " + "b" * 200_000,), tuple(f"X-{i}: b" for i in range(20_000))],
                         ids=["one", "many"])
def test_too_large_headers_are_431(shared, headers):
    with connect(shared) as c:
        try:
            c.send(request(headers=headers))
        except OSError:
            pass
        assert c.response()[0] == 431


def test_too_long_a_target_is_refused(shared):
    with connect(shared) as c:
        c.send(request(path="/v1/" + "a" * 100_000))
        assert c.response()[0] in (414, 431)


# --- what is asked for --------------------------------------------------------------------------

def test_unknown_path_is_404(shared):
    for path in ("/", "/v1", "/v1/", "/v1/heartbeat", "/v2/heartbeats", "/v1/heartbeats/", "/metrics"):
        response = shared.client.get(path)
        assert response.status == 404, path
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("method, path, allow", [
    ("GET", HEARTBEATS, "POST"), ("PUT", HEARTBEATS, "POST"), ("DELETE", "/v1/sessions", "POST"),
    ("POST", "/v1/progress", "GET"), ("PATCH", "/v1/progress", "GET")])
def test_wrong_method_is_405_and_names_the_right_one(shared, method, path, allow):
    response = shared.client.request(method, path, b"{}")
    assert response.status == 405
    assert allow in response.headers["allow"]
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("content_type", ["application/xml", "application/x-www-form-urlencoded"])
def test_unknown_content_type_is_415(shared, content_type):
    assert shared.client.post(HEARTBEATS, b"{}", content_type=content_type).status == 415


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8", "Application/JSON", "text/plain",
    "text/plain;charset=UTF-8"])
def test_json_content_types(shared_player, content_type):
    body = heartbeat_body(shared_player)
    response = shared_player.client.post(HEARTBEATS, body, content_type=content_type)
    assert response.status == 200 and response.json()["results"] == [accepted(30)]
    assert response.content_type == "application/json"


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{}", b'{"session_token": "x"}',
    b'{"runs": [}', b'{"heartbeats": {}}', b'{"session_token": "\xff", "runs": []}', b"\0", b"[" * 10_000,
    b'{"session_token": "x", "runs": [{"from_ms": NaN}]}', b'{"session_token": "x", "runs": []} x'])
def test_a_body_that_is_not_a_heartbeat_is_400(shared, body):
    response = shared.client.post(HEARTBEATS, body)
    assert response.status == 400, response
    assert response.content_type == "application/problem+json"
    assert response.json()["detail"], "it says what is wrong"


def test_base_path(new_minuted, redis):
    minuted = new_minuted(redis, changes={"http": {"base_path": "/minutes"}}).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(20_000)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    assert minuted.client.post(HEARTBEATS, b"{}").status == 404


def test_query_is_no_part_of_the_path(shared_player):
    response = patiently(
        lambda: shared_player.client.get("/v1/progress?x=1", headers=bearer(shared_player.token)))
    assert response.status == 200


# --- CORS ---------------------------------------------------------------------------------------

def preflight(minuted, origin, path=HEARTBEATS):
    return minuted.client.request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type"})


def test_preflight(shared):
    response = preflight(shared, ORIGIN)
    assert response.status in (200, 204)
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-max-age"] == "7200"
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed and "content-type" in allowed


def test_preflight_of_another_origin_allows_nothing(shared):
    response = preflight(shared, "https://elsewhere.example")
    assert "access-control-allow-origin" not in response.headers


def test_answers_and_errors_carry_the_origin(shared_player):
    body = heartbeat_body(shared_player)
    for content, status in ((body, 200), (b"{", 400)):
        response = shared_player.client.post(HEARTBEATS, content, headers={"Origin": ORIGIN})
        assert response.status == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "origin" in response.headers["vary"].lower()


def test_another_origin_gets_no_permission(shared_player):
    response = shared_player.client.post(HEARTBEATS, heartbeat_body(shared_player), headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers


# --- the clock of --dev -------------------------------------------------------------------------

def test_a_page_moves_no_clock_and_mints_no_token(minuted):
    """With each guard alone: the name of a page's own in Host, its Origin, and what a form can send."""
    before = minuted.now_ms()
    body = {"advance_ms": -86_400_000}
    for content_type, headers, status in [("text/plain", {}, 415), ("application/json", {"Origin": ORIGIN}, 403),
                                          ("application/json", {"Sec-Fetch-Site": "same-origin"}, 403),
                                          ("application/json", {"Host": "page.example"}, 403)]:
        response = minuted.client.post("/dev/clock", body, content_type=content_type, headers=headers)
        assert response.status == status, response
        assert "access-control-allow-origin" not in response.headers
    assert preflight(minuted, ORIGIN, "/dev/clock").headers.keys().isdisjoint(
        {"access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"})
    assert before <= minuted.now_ms() < before + 60_000
    token = "/dev/token?sub=a&portal=higher"
    assert minuted.client.get(token, headers={"Host": "page.example"}).status == 403
    assert "access-control-allow-origin" not in minuted.client.get(token, headers={"Origin": ORIGIN}).headers


@pytest.mark.parametrize("clock", [
    -5_000_000, -1, 0, 946_684_799_999, 253_402_300_800_000, 2**53, 2**63, -2**63, 1e300, -1e300, 1674187200500.5,
    None, "1674187200500", True, [], {}])
def test_what_is_no_time_of_a_clock_is_400(shared, clock):
    before = shared.now_ms()
    response = shared.client.post("/dev/clock", {"now_ms": clock})
    assert response.status == 400
    check_problem(400, response.headers, response.body)
    assert before <= shared.now_ms() < before + 60_000


@pytest.mark.parametrize("now_ms, step_ms", [(946_684_800_000, 5000), (253_402_300_740_000, 5000), (NOW_MS, -7_200_000)])
def test_at_the_ends_of_the_clock_all_is_answered(minuted, now_ms, step_ms):
    """A session's time, a platform's token and the minute of a run are made of it; a publisher looks once a second."""
    minuted.set_clock(now_ms)
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(step_ms)
    assert player.send(session, run(0, 4000)) == [accepted(4) if step_ms > 0 else retry("ahead_of_clock")]
    assert minuted.client.get("/dev/token?sub=a&portal=higher").status == 200
    minutes = patiently(lambda: minuted.client.get("/dev/minutes?sub=teacher-1&portal=higher")).json()["minutes"]
    assert sum(int(m["seconds_mask"], 16).bit_count() for m in minutes) == (4 if step_ms > 0 else 0)
    assert player.progress()["total"]["watched_seconds"] == (4 if step_ms > 0 else 0)
    wait_until(lambda: minuted.metric("minuted_published_records_total") > 0, "a watermark is published")
    assert minuted.admin_client.get("/").status == 200


# --- protobuf -----------------------------------------------------------------------------------

@pytest.mark.parametrize("content_type", ["application/protobuf", "application/x-protobuf"])
def test_protobuf_in_and_out(shared, shared_player, content_type):
    pb = proto("player")
    opened = shared_player.client.post(
        "/v1/sessions", pb.SessionRequest(lesson_id=b"open-1", device_id=b"phone").SerializeToString(),
        content_type=content_type, headers={**bearer(shared_player.token), "Accept": content_type})
    assert opened.status == 201 and opened.content_type == "application/protobuf"
    session = pb.SessionResponse.FromString(opened.body)
    shared.advance(60_000)

    heartbeat = pb.HeartbeatRequest(session_token=session.session_token, runs=[
        pb.Run(**run(0, 30_000)), pb.Run(from_ms=0, to_ms=30_000, media_from_ms=0, media_to_ms=1, rate=float("nan")),
        pb.Run(from_ms=0)])
    response = patiently(
        lambda: shared_player.client.post(HEARTBEATS, heartbeat.SerializeToString(), content_type=content_type))
    assert response.status == 200 and response.content_type == "application/protobuf"
    answer = pb.HeartbeatResponse.FromString(response.body)
    assert [r.status for r in answer.results] == [pb.ACCEPTED, pb.REJECTED, pb.REJECTED]
    assert answer.results[0].credited_seconds == 30
    assert answer.results[0].HasField("contested_seconds")
    assert [r.reason for r in answer.results[1:]] == [pb.MALFORMED, pb.MALFORMED]
    assert answer.server_time_ms >= session.server_time_ms + 60_000

    response = shared_player.ask_progress({"Accept": content_type})
    progress = pb.Progress.FromString(response.body)
    assert [(x.lesson_id, x.watched_seconds) for x in progress.lessons] == [(b"open-1", 30)]


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x12\x05hi"])
def test_broken_protobuf_is_400(shared, body):
    assert shared.client.post(HEARTBEATS, body, content_type="application/protobuf").status == 400
