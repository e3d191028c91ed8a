"""What the daemon serves from itself: the player SDK, and with --dev films by ranges and the minutes in Redis."""

import gzip
import hashlib
import re
import socket
import struct
import uuid

import pytest
import yaml

from harness.catalog import NOW_MS
from harness.daemon import BUILD, ROOT, SANITIZED
from harness.player import Player, accepted, run
from harness.process import memory
from harness.raw import RawConnection, request
from harness.service import wait_until

LIBRARY = {
    "/v1/minuted.js": "text/javascript; charset=utf-8",
    "/v1/minuted.mjs": "text/javascript; charset=utf-8",
    "/v1/minuted.d.ts": "text/plain; charset=utf-8",
}
FILMS = {"/dev/lesson-1.mp4": "demo-1", "/dev/lesson-2.mp4": "demo-2"}
PACKED = {"Accept-Encoding": "gzip, deflate, br"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def film(shared):
    response = shared.client.get("/dev/lesson-1.mp4")
    assert response.status == 200
    return response.body


# --- the library ----------------------------------------------------------------------------------

@pytest.mark.parametrize("path", LIBRARY)
def test_gunzipped_it_is_the_plain_one(shared, path):
    plain, packed = (shared.client.get(path, headers=headers) for headers in (PLAIN, PACKED))
    assert (plain.status, packed.status) == (200, 200)
    assert plain.headers["content-type"] == packed.headers["content-type"] == LIBRARY[path]
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["etag"] != packed.headers["etag"]
    for response in (plain, packed):
        assert response.headers["vary"] == "Accept-Encoding"
        assert response.headers["cache-control"] == "public, max-age=3600"
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["etag"] == f'"{hashlib.sha256(response.body).hexdigest()}"'


def test_a_player_downloads_less_than_6_kB(shared):
    for path in ("/v1/minuted.js", "/v1/minuted.mjs"):
        assert len(shared.client.get(path, headers=PACKED).body) < 6000


def test_what_the_library_gives_to_pages(shared):
    script, module, types = (shared.client.get(path).body.decode() for path in LIBRARY)
    assert re.search(r"globalThis\.minuted\s*=|\.minuted\s*=", script) and not re.search(r"\bexport\b", script)
    assert re.search(r"export\s*{[^}]*\btrack\b", module)
    assert re.search(r"export (declare )?function track\(", types)


@pytest.mark.parametrize("path", LIBRARY)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_known_is_not_sent_again(shared, path, method):
    for headers in (PLAIN, PACKED):
        tag = shared.client.get(path, headers=headers).headers["etag"]
        for value in (tag, f'"x", W/{tag}', "*"):
            response = shared.client.request(method, path, headers={**headers, "If-None-Match": value})
            assert (response.status, response.body) == (304, b""), value
            assert response.headers["etag"] == tag and response.headers["vary"] == "Accept-Encoding"
            assert response.headers["access-control-allow-origin"] == "*"
        assert shared.client.request(method, path, headers={**headers, "If-None-Match": '"x"'}).status == 200


def test_the_tag_of_one_form_is_not_the_others(shared):
    tag = shared.client.get("/v1/minuted.js", headers=PACKED).headers["etag"]
    assert shared.client.get("/v1/minuted.js", headers={**PLAIN, "If-None-Match": tag}).status == 200


def test_head_tells_the_length(shared):
    for path in [*LIBRARY, *FILMS, "/dev/"]:
        body = shared.client.get(path).body
        head = shared.client.request("HEAD", path)
        assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", len(body))


def test_other_methods(shared):
    for path in [*LIBRARY, *FILMS, "/dev/"]:
        refused = shared.client.post(path, {})
        assert refused.status == 405 and refused.headers["allow"] == "GET, HEAD, OPTIONS"
        assert shared.client.request("OPTIONS", path).status == 204


def test_under_a_base_path_and_without_dev(new_minuted, redis):
    daemon = new_minuted(redis, brokers="127.0.0.1:1", dev=False, changes={"http": {"base_path": "/minutes"}}).start()
    for path in LIBRARY:
        assert daemon.client.get(f"/minutes{path}").status == 200
        assert daemon.client.get(path).status == 404
    for path in [*FILMS, "/dev/", "/dev/minutes?portal=higher&sub=a"]:
        assert daemon.client.get(f"/minutes{path}").status == 404
        assert daemon.client.get(path).status == 404


# --- films ----------------------------------------------------------------------------------------

def test_films_are_as_long_as_the_catalog_says(shared):
    catalog = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    lengths = {lesson["id"]: lesson.get("length") for course in catalog["courses"] for lesson in course["lessons"]}
    for path, lesson in FILMS.items():
        body = shared.client.get(path).body
        at = body.index(b"mvhd") + 4
        timescale, duration = struct.unpack(">II", body[at + 12:at + 20])
        assert abs(duration / timescale - lengths[lesson]) < 0.5
        assert body.index(b"moov") < body.index(b"mdat"), "it cannot start before its end has come"


def test_films_are_small():
    assert sum(file.stat().st_size for file in (BUILD / "generated/web").glob("*.mp4")) < 1_600_000


@pytest.mark.parametrize("value, first, last", [
    ("bytes=0-", 0, None), ("bytes=0-0", 0, 0), ("bytes=1000-1999", 1000, 1999), ("bytes=300000-", 300000, None),
    ("bytes=-100", -100, None), ("bytes=5-99999999", 5, None)])
def test_a_range(shared, film, value, first, last):
    first = first % len(film)
    last = len(film) - 1 if last is None else last
    response = shared.client.get("/dev/lesson-1.mp4", headers={"Range": value})
    assert response.status == 206 and response.body == film[first:last + 1]
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(film)}"
    assert response.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("value", ["bytes=0-1,5-6", "bytes=9-1", "bytes=", "seconds=1-2", "bytes=a-"])
def test_what_is_no_single_range_is_answered_whole(shared, film, value):
    response = shared.client.get("/dev/lesson-1.mp4", headers={"Range": value})
    assert response.status == 200 and response.body == film
    assert response.headers["accept-ranges"] == "bytes" and "content-range" not in response.headers


@pytest.mark.parametrize("value", ["bytes=99999999-", "bytes=-0", "bytes=18446744073709551616-"])
def test_a_range_behind_the_end(shared, film, value):
    response = shared.client.get("/dev/lesson-1.mp4", headers={"Range": value})
    assert response.status == 416 and response.content_type == "application/problem+json"
    assert response.json()["title"] == "Range Not Satisfiable"
    assert response.headers["content-range"] == f"bytes */{len(film)}"


def test_a_range_of_what_is_still_the_same(shared, film):
    tag = shared.client.get("/dev/lesson-1.mp4").headers["etag"]
    for value, status in [(tag, 206), (f"W/{tag}", 200), ('"x"', 200), ("Wed, 21 Oct 2026 07:28:00 GMT", 200)]:
        headers = {"Range": "bytes=7-", "If-Range": value}
        assert shared.client.get("/dev/lesson-1.mp4", headers=headers).status == status


def test_a_film_piece_by_piece_and_pipelined(shared, film):
    cuts = [*range(0, len(film), 100_000), len(film)]
    ranges = list(zip(cuts, cuts[1:]))
    with RawConnection(shared.port) as c:
        c.send(b"".join(request(path="/dev/lesson-1.mp4", headers=(f"Range: bytes={a}-{b - 1}",)) for a, b in ranges))
        pieces = [c.response() for _ in ranges]
    assert [status for status, _, _ in pieces] == [206] * len(ranges)
    assert b"".join(body for _, _, body in pieces) == film


def slow_viewer(port):
    """Asks for more films than sockets hold and takes the first byte."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.settimeout(10)
    viewer.connect(("127.0.0.1", port))
    viewer.sendall(b"".join(request(path=path) for path in FILMS) * 8)
    assert viewer.recv(1) == b"H"
    return viewer


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is its own")
def test_slow_viewers_cost_no_memory(shared, film):
    """What their sockets do not take stays where it is."""
    before = memory(shared.process.pid, "RssAnon")
    viewers = [slow_viewer(shared.port) for _ in range(30)]
    grown = memory(shared.process.pid, "RssAnon") - before
    for viewer in viewers:
        viewer.close()
    assert grown < 30 * len(film) / 10


# --- minutes --------------------------------------------------------------------------------------

def minutes_of(player):
    response = player.client.get(f"{player.daemon.base}/dev/minutes?portal={player.portal}&sub={player.learner}")
    assert response.status == 200 and response.content_type == "application/json", response
    return response.json()


def seconds_of(answer):
    """{(second, lesson)} that an answer of /dev/minutes holds."""
    return {(minute["minute_start"] + i, minute["lesson_id"]) for minute in answer["minutes"]
            for i in range(60) if int(minute["seconds_mask"], 16) >> i & 1}


def claimed(session, from_ms, to_ms, lesson):
    first, end = (-(-(session.anchor_ms + ms) // 1000) for ms in (from_ms, to_ms))
    return {(second, lesson) for second in range(first, end)}


def test_minutes_are_what_was_credited(shared, shared_player):
    assert minutes_of(shared_player)["minutes"] == []
    session = shared_player.open("open-1")
    shared.advance(90_000)
    assert shared_player.send(session, run(10_000, 80_000)) == [accepted(70)]
    other = shared_player.open("open-2")
    shared.advance(30_000)
    assert shared_player.send(other, run(0, 30_000)) == [accepted(30)]
    answer = minutes_of(shared_player)
    assert answer["now_ms"] == pytest.approx(shared.now_ms(), abs=10_000)
    assert seconds_of(answer) == claimed(session, 10_000, 80_000, "open-1") | claimed(other, 0, 30_000, "open-2")
    starts = [minute["minute_start"] for minute in answer["minutes"]]
    assert starts == sorted(starts) and all(start % 60 == 0 for start in starts)
    assert all(re.fullmatch("[0-9a-f]{15}", minute["seconds_mask"]) for minute in answer["minutes"])


def test_minutes_end_with_the_ten_before(shared, shared_player):
    session = shared_player.open("open-1")
    shared.advance(30_000)
    assert shared_player.send(session, run(0, 30_000)) == [accepted(30)]
    shared.advance(600_000)
    assert len(seconds_of(minutes_of(shared_player))) == 30
    shared.advance(600_000)
    assert minutes_of(shared_player)["minutes"] == []


def test_minutes_of_other_names(shared):
    for learner in ("王老师", "a b&c=d%25", f"teacher/{uuid.uuid4()}"):
        player = Player(shared, learner)
        session = player.open("open-1")
        shared.advance(5_000)
        assert player.send(session, run(0, 5_000)) == [accepted(5)]
        quoted = "".join(f"%{byte:02X}" for byte in learner.encode())
        answer = shared.client.get(f"/dev/minutes?sub={quoted}&portal=higher")
        assert len(seconds_of(answer.json())) == 5


def test_minutes_of_nobody_in_particular(shared):
    for query in ("", "?portal=higher", "?sub=a", "?portal=high%20er&sub=a"):
        assert shared.client.get(f"/dev/minutes{query}").status == 400


def test_minutes_while_redis_is_away(new_minuted, redis):
    daemon = new_minuted(redis).start(NOW_MS)
    path = "/dev/minutes?portal=higher&sub=a"
    assert daemon.client.get(path).status == 200
    redis.kill()
    for _ in range(3):  # the first may come before the loss is seen
        response = daemon.client.get(path)
        assert response.status == 503 and int(response.headers["retry-after"]) > 0
    redis.start()
    wait_until(lambda: daemon.client.get(path).status == 200, "Redis is back")
