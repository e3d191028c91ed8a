"""Two daemons on one Redis, reloaded one after the other: what one does not know yet is kept by players, not lost."""

import hashlib
import hmac
import json
import os
import struct

import pytest

from harness import jwt
from harness.catalog import CATALOG, MINUTE_MS, NOW_MS
from harness.daemon import AUDIENCE, SESSION_KEY
from harness.player import Player, accepted, bearer, rejected, retry, run

HOUR_MS = 60 * MINUTE_MS
SESSION_MS = 4 * HOUR_MS
NEW_KEY = "the session key that comes after the first one"
NEW_LESSON = "  - {id: new, hours: 1, lessons: [{id: new-1}]}\n"


class Pair:
    """Two daemons of one deployment, each with files of its own; whoever asks one may have spoken to the other."""

    def __init__(self, new_minuted, redis, tmp_path):
        self.daemons = []
        for name in ("one", "two"):
            daemon = new_minuted(redis, name=name, changes={"kafka": {"deployment": "rollout"}})
            catalog = daemon.file("catalog.yaml", CATALOG)
            self.daemons.append(daemon.change({"catalog": str(catalog)}))
        self.keys = {"old": str(self.daemons[0].session_key), "new": str(self.daemons[0].file("new.key", NEW_KEY))}

    def start(self):
        for daemon in self.daemons:
            daemon.start(NOW_MS)
        return self

    def advance(self, ms):
        for daemon in self.daemons:
            daemon.advance(ms)

    def use_keys(self, which, *names):
        daemon = self.daemons[which]
        daemon.change({"auth": {"session_key_file": [self.keys[name] for name in names]}}).write_config()
        daemon.reload()

    def use_catalog(self, which, text):
        self.daemons[which].file("catalog.yaml", text)
        self.daemons[which].reload()

    def player(self, which, learner="teacher-1"):
        return Player(self.daemons[which], learner)


@pytest.fixture
def pair(new_minuted, redis, tmp_path):
    return Pair(new_minuted, redis, tmp_path).start()


def results(player, *heartbeats):
    response = player.post({"heartbeats": list(heartbeats)})
    assert response.status == 200, response
    return response.json()["results"]


# --- session keys -------------------------------------------------------------------------------

def test_a_key_put_in_front_of_one_daemon_loses_nothing(pair):
    pair.use_keys(0, "new", "old")
    one, two = pair.player(0), pair.player(1)
    newer, older = one.open("open-1"), two.open("open-1")
    pair.advance(MINUTE_MS)
    assert one.send(older, run(0, 10_000)) == [accepted(10)]
    assert two.send(newer, run(10_000, 20_000), {}) == [retry("token_unknown"), rejected("malformed")]
    assert results(two, newer.heartbeat(run(10_000, 20_000)), older.heartbeat(run(0, 10_000))) == [
        retry("token_unknown"), accepted(0, 10)]
    assert two.post(newer.heartbeat()).json()["results"] == []
    response = two.client.get("/v1/progress", headers=bearer(newer.token))
    assert response.status == 503 and int(response.headers["retry-after"]) >= 1, response
    pair.use_keys(1, "old", "new")
    seconds = two.send(newer, run(10_000, 20_000))[0]
    assert seconds["status"] == "accepted" and seconds["credited_seconds"] >= 9, seconds
    assert two.ask_progress(bearer(newer.token)).status == 200
    assert one.progress()["total"]["watched_seconds"] >= 19


def test_a_key_added_last_everywhere_and_then_put_first_is_known_at_once(pair):
    steps = [(0, "old", "new"), (1, "old", "new"), (0, "new", "old"), (1, "new", "old")]
    for at, (which, *keys) in enumerate(steps):
        pair.use_keys(which, *keys)
        for opened, sent in ((0, 1), (1, 0)):
            learner = f"teacher-{at}-{opened}"
            session = pair.player(opened, learner).open("open-1")
            pair.advance(MINUTE_MS)
            assert pair.player(sent, learner).send(session, run(0, 10_000)) == [accepted(10)], (at, opened)


def token_of(key, anchor_ms, expiry_ms=None, version=1, learner="teacher-1"):
    """A session token as daemon/credit/token.h describes it; of a later version only what all of them have."""
    strings = b"".join(bytes([len(s)]) + s for s in (b"integration", b"higher", learner.encode(), b"open", b"open-1"))
    payload = struct.pack("<qq", anchor_ms, expiry_ms or anchor_ms + SESSION_MS) + os.urandom(16)
    payload += strings if version == 1 else os.urandom(9)
    signed = f"m{version}.{jwt.b64(hashlib.sha256(key).digest()[:4])}.{jwt.b64(payload)}"
    return f"{signed}.{jwt.b64(hmac.digest(key, signed.encode(), 'sha256'))}"


FOREIGN = b"a key of which no daemon has heard so far"
UNKNOWN = {  # key, ms since the anchor, ms from now to the expiry, version; status of a single heartbeat, answer in a batch
    "ours": (SESSION_KEY, HOUR_MS, 3 * HOUR_MS, 1, 200, accepted(10)),
    "another key": (FOREIGN, HOUR_MS, 3 * HOUR_MS, 1, 200, retry("token_unknown")),
    "another key, by a clock ahead": (FOREIGN, 0, 4 * HOUR_MS + MINUTE_MS, 1, 200, retry("token_unknown")),
    "another key, expired": (FOREIGN, 5 * HOUR_MS, -HOUR_MS, 1, 200, retry("token_unknown")),
    "another key, expired for longer than is looked back": (
        FOREIGN, 29 * HOUR_MS, -25 * HOUR_MS, 1, 410, rejected("session_expired")),
    "another key, which lives longer than sessions do": (
        FOREIGN, 0, 6 * HOUR_MS, 1, 401, rejected("token_invalid")),
    "another key, for ever": (FOREIGN, 0, 1 << 60, 1, 401, rejected("token_invalid")),
    "a later version": (SESSION_KEY, HOUR_MS, 3 * HOUR_MS, 2, 200, retry("token_unknown")),
    "a later version and another key": (FOREIGN, HOUR_MS, 3 * HOUR_MS, 9, 200, retry("token_unknown")),
    "a later version, for ever": (FOREIGN, HOUR_MS, 1 << 60, 2, 401, rejected("token_invalid")),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_tokens_that_this_daemon_cannot_verify(shared, shared_player, name):
    key, ago_ms, left_ms, version, status, result = UNKNOWN[name]
    now_ms, learner = shared.now_ms(), shared_player.learner
    token = token_of(key, now_ms - ago_ms, now_ms + left_ms, version, learner)
    heartbeat = {"session_token": token, "runs": [run(0, 10_000)]}
    response = shared_player.post({"heartbeats": [heartbeat]})
    assert response.json()["results"] == [result]
    assert shared_player.post(heartbeat).status == status
    if result["status"] == "retry":
        assert shared.client.get("/v1/progress", headers=bearer(token)).status == 503
    else:
        progress = shared_player.ask_progress(bearer(token)).status
        assert progress == {"accepted": 200, "rejected": 401}[result["status"]]
    assert shared_player.progress()["total"]["watched_seconds"] == (10 if result["status"] == "accepted" else 0)


def test_what_is_signed_wrongly_with_a_known_key_is_rejected(shared, shared_player):
    session = shared_player.open("open-1")
    shared.advance(MINUTE_MS)
    head, payload, mac = session.token.rsplit(".", 2)
    for token in (f"{head}.{payload}.{'A' * len(mac)}", f"{head.replace('m1', 'm2')}.{payload}.{mac}"):
        heartbeat = {"session_token": token, "runs": [run(0, 10_000)]}
        assert results(shared_player, heartbeat) == [rejected("token_invalid")]
        assert shared_player.post(heartbeat).status == 401


# --- catalogs -----------------------------------------------------------------------------------

def test_a_lesson_that_one_daemon_knows_first_loses_nothing(pair):
    pair.use_catalog(0, CATALOG + NEW_LESSON)
    one, two = pair.player(0), pair.player(1)
    session = one.open("new-1")
    pair.advance(MINUTE_MS)
    assert one.send(session, run(0, 10_000)) == [accepted(10)]
    assert two.send(session, run(0, 10_000), run(10_000, 20_000)) == [retry("lesson_unknown")] * 2
    assert two.try_open("new-1").status == 404
    pair.use_catalog(1, CATALOG + NEW_LESSON)
    assert two.send(session, run(0, 10_000), run(10_000, 20_000)) == [accepted(0, 10), accepted(10)]
    assert two.try_open("new-1").status == 201


def test_a_lesson_that_never_comes_is_over_with_its_sessions(pair):
    pair.use_catalog(0, CATALOG + NEW_LESSON)
    session = pair.player(0).open("new-1")
    pair.use_catalog(0, CATALOG)
    two = pair.player(1)
    pair.advance(28 * HOUR_MS - MINUTE_MS)
    assert two.send(session, run(0, 10_000)) == [retry("lesson_unknown")]
    pair.advance(2 * MINUTE_MS)
    assert two.post(session.heartbeat(run(0, 10_000))).status == 410
    assert results(two, session.heartbeat(run(0, 10_000))) == [rejected("session_expired")]


# --- platforms' keys ----------------------------------------------------------------------------

def test_a_platform_key_that_one_daemon_knows_first(pair):
    """No playing is lost by the 401: it names the reason, and players ask again."""
    keys, issuer = [jwt.ec_key(), jwt.ec_key()], "https://keys.example"
    sets = [json.dumps({"keys": [jwt.ec_jwk(key, f"k{i}") for i, key in enumerate(keys[:n + 1])]}) for n in range(2)]
    for daemon, known in zip(pair.daemons, (sets[1], sets[0])):
        path = daemon.file("jwks.json", known)
        daemon.change({"auth": {"issuers": [
            {"issuer": issuer, "audience": AUDIENCE, "portal": "higher", "jwks_file": str(path)}]}}).write_config()
        daemon.reload()
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": "teacher-1", "exp": NOW_MS // 1000 + 3600}
    one, two = pair.player(0), pair.player(1)
    one.token = two.token = jwt.encode(claims, keys[1], "ES256", {"kid": "k1"})
    assert one.try_open("open-1").status == 201
    refused = two.try_open("open-1")
    assert refused.status == 401 and "kid" in refused.json()["detail"], refused
    pair.daemons[1].file("jwks.json", sets[1])
    pair.daemons[1].reload()
    assert two.try_open("open-1").status == 201
