"""What the daemon serves from itself: the player SDK, and with --dev a page and the minutes in Redis."""

import gzip
import hashlib
import re
import uuid

import pytest

from harness.catalog import NOW_MS
from harness.player import Player, accepted, patiently, run
from harness.service import wait_until

LIBRARY = {
    "/v1/minuted.js": "text/javascript; charset=utf-8",
    "/v1/minuted.mjs": "text/javascript; charset=utf-8",
    "/v1/minuted.d.ts": "text/plain; charset=utf-8",
}
PACKED = {"Accept-Encoding": "gzip, deflate, br"}
PLAIN = {"Accept-Encoding": "identity"}


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
    for path in [*LIBRARY, "/dev/"]:
        body = shared.client.get(path).body
        head = shared.client.request("HEAD", path)
        assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", len(body))


def test_other_methods(shared):
    for path in [*LIBRARY, "/dev/"]:
        refused = shared.client.post(path, {})
        assert refused.status == 405 and refused.headers["allow"] == "GET, HEAD, OPTIONS"
        assert shared.client.request("OPTIONS", path).status == 204


def test_under_a_base_path_and_without_dev(new_minuted, redis):
    daemon = new_minuted(redis, brokers="127.0.0.1:1", dev=False, changes={"http": {"base_path": "/minutes"}}).start()
    for path in LIBRARY:
        assert daemon.client.get(f"/minutes{path}").status == 200
        assert daemon.client.get(path).status == 404
    for path in ["/dev/", "/dev/minutes?portal=higher&sub=a"]:
        assert daemon.client.get(f"/minutes{path}").status == 404
        assert daemon.client.get(path).status == 404


# --- minutes --------------------------------------------------------------------------------------

def minutes_of(player):
    path = f"{player.daemon.base}/dev/minutes?portal={player.portal}&sub={player.learner}"
    response = patiently(lambda: player.client.get(path))
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
        answer = patiently(lambda: shared.client.get(f"/dev/minutes?sub={quoted}&portal=higher"))
        assert len(seconds_of(answer.json())) == 5


def test_minutes_of_nobody_in_particular(shared):
    for query in ("", "?portal=higher", "?sub=a", "?portal=high%20er&sub=a"):
        assert shared.client.get(f"/dev/minutes{query}").status == 400


def test_minutes_while_redis_is_away(new_minuted, redis):
    daemon = new_minuted(redis).start(NOW_MS)
    path = "/dev/minutes?portal=higher&sub=a"
    assert patiently(lambda: daemon.client.get(path)).status == 200
    redis.kill()
    for _ in range(3):  # the first may come before the loss is seen
        response = daemon.client.get(path)
        assert response.status == 503 and int(response.headers["retry-after"]) > 0
    redis.start()
    wait_until(lambda: daemon.client.get(path).status == 200, "Redis is back")
