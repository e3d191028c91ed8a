"""Platform tokens of all three algorithms, the forgeries of each, key rotation and reload."""

import hashlib
import hmac
import json

import pytest

from harness import jwt
from harness.catalog import NOW_MS
from harness.daemon import AUDIENCE, SECRET
from harness.player import Player, accepted, bearer, patiently, platform_token, retry, run
from harness.redis_server import RedisServer

NOW_S = NOW_MS // 1000
ISSUER = "https://keys.example"


def claims(**changes):
    result = {"iss": ISSUER, "aud": AUDIENCE, "sub": "teacher-1", "exp": NOW_S + 36_000, **changes}
    return {name: value for name, value in result.items() if value is not None}


def status_of(minuted, token):
    """What the daemon answers to a question with that token."""
    response = patiently(lambda: minuted.client.get("/v1/progress", headers=bearer(token)))
    if response.status != 200:
        assert response.content_type == "application/problem+json" and response.json()["detail"]
        assert response.headers["www-authenticate"].startswith("Bearer")
    return response.status


@pytest.fixture(scope="module")
def keys():
    return {"rsa": jwt.rsa_key(), "rsa2": jwt.rsa_key(), "ec": jwt.ec_key(), "ec2": jwt.ec_key()}


def start_with_issuer(minuted, key_name, content):
    """A daemon with one issuer, whose key is CONTENT in the file that KEY_NAME of the configuration names."""
    path = minuted.file("issuer.key", content)
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "portal": "higher", key_name: str(path)}
    return minuted.change({"auth": {"issuers": [issuer]}}).start(NOW_MS)


@pytest.fixture
def with_issuer(new_minuted, redis):
    return lambda key_name, content: start_with_issuer(new_minuted(redis), key_name, content)


@pytest.fixture(scope="module")
def hs256(new_shared, shared_redis):
    return start_with_issuer(new_shared(shared_redis), "secret_file", SECRET)


# --- HS256 --------------------------------------------------------------------------------------

HS256 = {
    "good": (200, {}),
    "audience in a list": (200, {"aud": ["other", AUDIENCE]}),
    "just expired, within the leeway": (200, {"exp": NOW_S - 20}),
    "not yet valid, within the leeway": (200, {"nbf": NOW_S + 20}),
    "a learner of another script": (200, {"sub": "王老师"}),
    "a learner of 128 bytes": (200, {"sub": "x" * 128}),
    "expired": (401, {"exp": NOW_S - 60}),
    "expired long ago": (401, {"exp": 1}),
    "no exp": (401, {"exp": None}),
    "exp is text": (401, {"exp": str(NOW_S + 3600)}),
    "exp is null": (401, {"exp": False}),
    "not yet valid": (401, {"nbf": NOW_S + 300}),
    "no sub": (401, {"sub": None}),
    "empty sub": (401, {"sub": ""}),
    "sub is a number": (401, {"sub": 5}),
    "sub of 129 bytes": (401, {"sub": "x" * 129}),
    "sub with a control character": (401, {"sub": "a\nb"}),
    "another audience": (401, {"aud": "other"}),
    "no audience": (401, {"aud": None}),
    "audience list without ours": (401, {"aud": ["other", "minute"]}),
    "another issuer": (401, {"iss": "https://elsewhere.example"}),
    "no issuer": (401, {"iss": None}),
    "issuer with a NUL": (401, {"iss": ISSUER + "\0"}),
}


@pytest.mark.parametrize("name", HS256)
def test_hs256_claims(hs256, name):
    expected, changes = HS256[name]
    hs256.set_clock(NOW_MS)
    assert status_of(hs256, jwt.encode(claims(**changes), SECRET)) == expected


def alg_none(payload):
    return f"{jwt.b64_json({'alg': 'none'})}.{jwt.b64_json(payload)}."


def test_hs256_forgeries(hs256):
    minuted = hs256
    good = jwt.encode(claims(), SECRET)
    head, body, mac = good.split(".")
    other_body = jwt.b64_json(claims(sub="teacher-2"))
    forged = [
        "", "x", "..", good + ".x", f"{head}.{body}", f"{head}.{body}.", f"{head}.{other_body}.{mac}",
        f"{head}.{body}.{mac[:-2]}", f"{head}.{body}.{mac}=", good.replace(".", " ", 1), alg_none(claims()),
        f"{jwt.b64_json({'alg': 'none'})}.{body}.{mac}", jwt.encode(claims(), b"another secret of some length...."),
        jwt.encode(claims(), SECRET, alg="None", signer="HS256"), jwt.encode(claims(), SECRET, "HS384", signer="HS256"),
        jwt.encode(claims(), SECRET, header={"alg": None}), jwt.encode(claims(), SECRET, header={"crit": ["exp"]}),
        jwt.encode([claims()], SECRET), "a" * 100_000,
    ]
    for token in forged:
        response = minuted.client.get("/v1/progress", headers=bearer(token))
        assert response.status in ((401, 431) if len(token) > 8192 else (401,)), token[:200]
    assert status_of(minuted, good) == 200


def test_no_token_at_all(minuted):
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        assert minuted.client.get("/v1/progress", headers=headers).status == 401
        assert minuted.client.post("/v1/sessions", {"lesson_id": "open-1", "device_id": "d"},
                                   headers=headers).status == 401


def test_portals_register_separately(minuted):
    """The same name at two portals is two learners."""
    a, b = Player(minuted, "teacher-1", "higher"), Player(minuted, "teacher-1", "basic")
    session = a.open("open-1")
    minuted.advance(30_000)
    assert a.send(session, run(0, 20_000)) == [accepted(20)]
    assert a.progress()["total"]["watched_seconds"] == 20
    assert b.progress()["total"]["watched_seconds"] == 0


# --- RS256, ES256 -------------------------------------------------------------------------------

@pytest.mark.parametrize("alg, name", [("RS256", "rsa"), ("ES256", "ec")])
def test_public_key(with_issuer, keys, alg, name):
    key, other = keys[name], keys[name + "2"]
    pem = jwt.public_pem(key)
    minuted = with_issuer("public_key_file", pem)
    assert status_of(minuted, jwt.encode(claims(), key, alg)) == 200
    assert status_of(minuted, jwt.encode(claims(), other, alg)) == 401
    assert status_of(minuted, jwt.encode(claims(exp=NOW_S - 60), key, alg)) == 401
    assert status_of(minuted, alg_none(claims())) == 401
    # The public key is no secret: it must not pass as one.
    for secret in (pem, pem.strip(), jwt.unb64(pem.decode().split("-----")[2].replace("\n", ""))):
        assert status_of(minuted, jwt.encode(claims(), secret, "HS256")) == 401
        assert status_of(minuted, jwt.encode(claims(), secret, alg, signer="HS256")) == 401


def test_es256_signature_forms(with_issuer, keys):
    key = keys["ec"]
    minuted = with_issuer("public_key_file", jwt.public_pem(key))
    head, body, _ = jwt.encode(claims(), key, "ES256").split(".")
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    der = key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    for signature in (der, bytes(64), b"\xff" * 64, b""):
        assert status_of(minuted, f"{head}.{body}.{jwt.b64(signature)}") == 401


def test_jwks_chooses_the_key_by_kid(with_issuer, keys):
    jwks = {"keys": [jwt.rsa_jwk(keys["rsa"], "r1"), jwt.ec_jwk(keys["ec"], "e1"), jwt.ec_jwk(keys["ec2"], "e2")]}
    minuted = with_issuer("jwks_file", json.dumps(jwks))
    good = [("RS256", "rsa", "r1"), ("ES256", "ec", "e1"), ("ES256", "ec2", "e2")]
    for alg, name, kid in good:
        assert status_of(minuted, jwt.encode(claims(), keys[name], alg, {"kid": kid})) == 200
    bad = [("RS256", "rsa2", "r1"), ("ES256", "ec", "e2"), ("ES256", "ec", "r1"), ("RS256", "rsa", "e1"),
           ("RS256", "rsa", "unknown")]
    for alg, name, kid in bad:
        assert status_of(minuted, jwt.encode(claims(), keys[name], alg, {"kid": kid})) == 401


# --- session tokens -----------------------------------------------------------------------------

def forged_tokens(token, key):
    """Copies of TOKEN that nobody signed. One with another key id may be another daemon's: see test_rollout.py."""
    parts = token.split(".")
    for i in (0, 2, 3):
        yield ".".join([*parts[:i], flipped(parts[i]), *parts[i + 1:]])
    yield ".".join(parts[:-1])
    yield token + "A"
    yield token[:-1]
    body = ".".join(parts[:-1])
    yield f"{body}.{jwt.b64(hmac.new(b'guessed key, guessed key, guessed key', body.encode(), hashlib.sha256).digest())}"
    payload = bytearray(jwt.unb64(parts[2]))
    payload[0] ^= 1
    yield ".".join([*parts[:2], jwt.b64(bytes(payload)), parts[3]])
    yield key
    yield "m1..."
    yield "x" * 5000


def flipped(part):
    return part[:-2] + ("B" if part[-2] == "A" else "A") + part[-1]


def test_forged_session_tokens(minuted, player):
    session = player.open("open-1")
    minuted.advance(60_000)
    for token in forged_tokens(session.token, minuted.session_key.read_text()):
        assert player.post({"session_token": token, "runs": [run(0, 10_000)]}).status == 401, token
        assert player.client.get("/v1/progress", headers=bearer(token)).status in (401, 431), token
        mixed = player.post({"heartbeats": [{"session_token": token, "runs": [run(0, 10_000)]}]})
        assert mixed.json()["results"] == [{"status": "rejected", "reason": "token_invalid"}]
    assert player.progress()["total"]["watched_seconds"] == 0
    assert player.send(session, run(0, 10_000)) == [accepted(10)]


def test_a_session_token_asks_for_progress(minuted, player):
    session = player.open("open-1")
    minuted.advance(60_000)
    player.send(session, run(0, 10_000))
    response = player.ask_progress(bearer(session.token))
    assert response.status == 200 and response.json()["total"]["watched_seconds"] == 10


def test_a_session_token_opens_no_session(minuted, player):
    session = player.open("open-1")
    response = minuted.client.post("/v1/sessions", {"lesson_id": "open-1", "device_id": "d"},
                                   headers=bearer(session.token))
    assert response.status == 401


def test_session_keys_rotate_without_losing_a_session(minuted, player):
    session = player.open("open-1")
    minuted.advance(60_000)
    old = str(minuted.session_key)
    new = str(minuted.file("session-2.key", "a new session key of sufficient length"))

    def use(*keys):
        minuted.change({"auth": {"session_key_file": list(keys)}}).write_config()
        minuted.reload()
    use(new, old)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    newer = player.open("open-1")
    use(new)
    minuted.advance(60_000)
    assert player.send(session, run(10_000, 20_000)) == [retry("token_unknown")]
    assert player.send(newer, run(0, 10_000)) == [accepted(10)]


# --- SIGHUP -------------------------------------------------------------------------------------

def test_reload_takes_new_keys_and_keeps_the_connection(minuted, player):
    assert player.progress()
    socket = minuted.client.connection.sock
    minuted.secret_file.write_bytes(b"the platform has a new secret for us all")
    minuted.reload()
    assert status_of(minuted, player.token) == 401
    renewed = jwt.encode({"iss": "https://higher.example", "aud": AUDIENCE, "sub": "t", "exp": NOW_S + 99},
                         b"the platform has a new secret for us all")
    assert status_of(minuted, renewed) == 200
    assert minuted.client.connection.sock is socket


def test_reload_takes_a_new_catalog(minuted, player, catalog):
    assert player.try_open("new-1").status == 404
    catalog.write_text(catalog.read_text() + "  - {id: new, hours: 1, lessons: [{id: new-1}]}\n")
    minuted.reload()
    assert player.try_open("new-1").status == 201


def test_a_reload_names_what_takes_a_restart(minuted, player):
    minuted.change({"http": {"max_body": "32KiB", "idle_timeout": "70s"}, "log": {"level": "debug"}}).write_config()
    minuted.reload()
    assert minuted.log_text().count("event=restart_needed") == 1
    assert "event=restart_needed keys=http.max_body,http.idle_timeout\n" in minuted.log_text()
    assert player.progress()


def test_a_broken_reload_changes_nothing(minuted, player, catalog):
    catalog.write_text(catalog.read_text().replace("open-2", "open-1"))
    minuted.reload()
    assert "open-1" in minuted.log_text() and "catalog.yaml:" in minuted.log_text()
    assert player.try_open("open-2").status == 201
    assert player.progress()


def test_token_of_the_dev_issuer(minuted):
    token = minuted.client.get("/dev/token?sub=teacher-9&portal=basic").json()["token"]
    assert status_of(minuted, token) == 200


def test_the_dev_issuer_is_unknown_without_dev(new_minuted, tmp_path, services, minuted):
    token = minuted.client.get("/dev/token?sub=teacher-9&portal=basic").json()["token"]
    its_redis = RedisServer(tmp_path / "plain-redis")
    services.append(its_redis)
    plain = new_minuted(its_redis.start(), brokers="127.0.0.1:1", dev=False, name="plain").start()
    assert status_of(plain, token) == 401
    for path in ("/dev/token?sub=a&portal=basic", "/dev/clock", "/dev/kafka", "/dev/"):
        assert plain.client.get(path).status == 404


def test_a_token_of_one_platform_opens_no_other_portal(minuted):
    """The issuer names the portal; a claim of that name is nothing."""
    token = platform_token("teacher-1", "higher", NOW_MS, {"portal": "basic"})
    session = minuted.client.post("/v1/sessions", {"lesson_id": "open-1", "device_id": "d"}, headers=bearer(token))
    assert session.status == 201
    minuted.advance(60_000)
    heartbeat = {"session_token": session.json()["session_token"], "runs": [run(0, 9000)]}
    assert Player(minuted, "teacher-1").post(heartbeat).status == 200
    assert Player(minuted, "teacher-1", "basic").progress()["total"]["watched_seconds"] == 0
    assert Player(minuted, "teacher-1", "higher").progress()["total"]["watched_seconds"] == 9
