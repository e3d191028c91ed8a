"""The peers of bench/peers do the same work as minuted: a comparison with one that does less would be worth nothing.

Each is started beside a Redis of its own. What it answers and what it leaves in Redis is held against a minuted that
was sent the same, both by the machine's clock.
"""

import base64
import hashlib
import hmac
import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from harness.daemon import BUILD, ROOT, SESSION_KEY
from harness.http_client import HttpClient
from harness.model import claimed_seconds
from harness.player import accepted, run
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.service import Service, free_port, wait_until

START = ROOT / "bench/peers/start"
EVHTTP = BUILD / "bench/peers/minuted-peer-evhttp"
LUA_PARTS = ("/usr/lib/nginx/modules/ngx_http_lua_module.so", "/usr/share/lua/5.1/nginx/redis.lua",
             "/usr/share/lua/5.1/resty/core.lua")
CREDITING = ("nginx-lua", "fastify", "evhttp")
AGO_MS = 40 * 60_000           # how long ago sessions began: what is claimed after it has been played
SESSION_MS = 4 * 3_600_000
CREDITED = re.compile(rb"minuted:\{[^}]*\}:(due|ld|[wdlt]:.+)")
NOWHERE = "127.0.0.1:1"        # a broker that is never reached, so that nothing leaves Redis


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def node_version():
    said = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True).stdout if program("node") else "v0."
    return int(said.partition(".")[0].removeprefix("v"))


def missing(name):
    """What NAME needs and is not installed; "" when it can run."""
    if name == "evhttp":
        return "" if EVHTTP.exists() else f"{EVHTTP} is not built"
    if name == "fastify":
        return "" if program("npm") and node_version() >= 20 else "Node.js 20 with npm is not installed"
    lacking = [p for p in (LUA_PARTS if name == "nginx-lua" else ()) if not Path(p).exists()]
    return f"not installed: {', '.join(lacking)}" if lacking else "" if program("nginx") else "nginx is not installed"


class Peer(Service):
    def __init__(self, name, directory, redis, catalog):
        super().__init__(directory)
        self.name, self.redis, self.catalog = name, redis, catalog
        self.port = free_port()
        self.client = HttpClient(self.port)
        self.files = self.directory / "files"
        self.session_key = self.directory / "session.key"
        self.session_key.write_bytes(SESSION_KEY + b"\n")

    def start(self):
        self.spawn([START, self.name, "--port", self.port, "--redis", self.redis, "--session-key", self.session_key,
                    "--catalog", self.catalog, "--build", BUILD, "--dir", self.files])
        self.wait_ready(lambda: any(line.startswith("ready ") for line in self.log_text().splitlines()), 60)
        return self

    def stop(self):
        assert self.terminate() == 0, self.log_tail()
        left = [path.name for path in self.files.iterdir() if path.suffix != ".log"]
        assert not left, f"{self.name} leaves {left} behind"

    def log_tail(self, lines=60):
        logs = sorted(self.files.glob("*.log")) if self.files.exists() else []
        return "\n".join([super().log_tail(lines), *(log.read_text(errors="replace")[-4000:] for log in logs)])


@pytest.fixture
def new_peer(tmp_path, catalog, services):
    started = []

    def new(name, redis):
        if missing(name):
            pytest.skip(missing(name))
        peer = Peer(name, tmp_path / name, redis, catalog)
        services.append(peer)
        started.append(peer.start())
        return peer
    yield new
    for peer in started:
        if peer.running():
            peer.stop()


@pytest.fixture(params=CREDITING)
def peer(request, new_peer, redis):
    return new_peer(request.param, redis.address)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def session_token(anchor_ms, learner="teacher-1", lesson="open-1", course="open", portal="higher", key=SESSION_KEY,
                  program="integration"):
    """As daemon/credit/token.h describes it."""
    strings = b"".join(bytes([len(s.encode())]) + s.encode() for s in (program, portal, learner, course, lesson))
    payload = struct.pack("<qq", anchor_ms, anchor_ms + SESSION_MS) + os.urandom(16) + strings
    signed = f"m1.{base64url(hashlib.sha256(key).digest()[:4])}.{base64url(payload)}"
    return f"{signed}.{base64url(hmac.digest(key, signed.encode(), 'sha256'))}"


def heartbeat(token, *runs):
    return {"session_token": token, "runs": list(runs)}


def now_ms():
    return int(time.time() * 1000)


def held(client):
    """Everything that crediting leaves in partitions, but for the floor: it tells when the first call came."""
    readers = {b"hash": client.hgetall, b"set": client.smembers,
               b"zset": lambda key: dict(client.zrange(key, 0, -1, withscores=True))}
    keys = [key for key in client.scan_iter(match="minuted:{*") if CREDITED.fullmatch(key)]
    return {key: readers[client.type(key)](key) for key in keys}


# --- true answers ---------------------------------------------------------------------------------

def test_a_run_is_credited_once(peer, redis):
    anchor_ms = now_ms() - AGO_MS
    token, sent = session_token(anchor_ms), run(50_000, 140_500)
    seconds = claimed_seconds(anchor_ms, sent)
    response = peer.client.post("/v1/heartbeats", heartbeat(token, sent))
    assert response.status == 200 and response.json()["results"] == [accepted(len(seconds))], response
    assert int(response.headers["content-length"]) == len(response.body)
    assert "transfer-encoding" not in response.headers
    assert abs(response.json()["server_time_ms"] - now_ms()) < 60_000

    def watched():
        minutes = Truth(redis.client).minutes
        assert {(learner, lesson) for learner, lesson, _ in minutes} == {("higher/teacher-1", "open-1")}
        return {minute + i for (_, _, minute), mask in minutes.items() for i in mask}
    assert watched() == set(seconds)
    again = peer.client.post("/v1/heartbeats", heartbeat(token, sent))
    assert again.json()["results"] == [accepted(0, duplicate=len(seconds))]
    assert watched() == set(seconds)


def test_a_forged_token_is_401(peer, redis):
    anchor_ms = now_ms() - AGO_MS
    token = session_token(anchor_ms)
    head, payload, mac = token.rsplit(".", 2)
    for forged in (session_token(anchor_ms, key=b"somebody else's key, as long as it must be"),
                   f"{head}.{payload}.{mac[:-4]}AAAA", f"{head}.{payload[:-4]}AAAA.{mac}", token[:-1], "m1", "", None, 7):
        response = peer.client.post("/v1/heartbeats", heartbeat(forged, run(0, 10_000)))
        assert response.status == 401, (forged, response)
    assert not held(redis.client)


def test_no_answer_of_redis_is_no_acceptance(peer, redis):
    token = session_token(now_ms() - AGO_MS)
    assert peer.client.post("/v1/heartbeats", heartbeat(token, run(0, 10_000))).json()["results"] == [accepted(10)]
    redis.kill()
    response = peer.client.post("/v1/heartbeats", heartbeat(token, run(10_000, 20_000)))
    assert response.status == 503 and int(response.headers["retry-after"]) >= 1, response
    redis.start()

    def result():
        answer = peer.client.post("/v1/heartbeats", heartbeat(token, run(20_000, 30_000)))
        return answer.status == 200 and answer.json()["results"]
    assert wait_until(result, "Redis is used again") == [accepted(10)]


def test_the_floor_answers_204(new_peer, redis):
    floor = new_peer("floor", redis.address)
    response = floor.client.post("/v1/heartbeats", heartbeat(session_token(now_ms()), run(0, 10_000)))
    assert (response.status, response.body) == (204, b"")


# --- the same as minuted --------------------------------------------------------------------------

def heartbeats(start_ms):
    """Heartbeats of one run, and of none: every way of judging, in an order in which later ones meet earlier ones."""
    def of(sent, ago_ms=AGO_MS, **names):
        return heartbeat(session_token(start_ms - ago_ms, **names), sent)
    yield from (of(run(a, a + 15_000)) for a in range(0, 90_000, 15_000))
    yield of(run(5_000, 605_000))                                   # ten minutes: two buckets, partly duplicate
    yield of(run(700_000, 760_321, rate=1.5, media_from_ms=3))
    yield of(run(0, 90_000), lesson="open-2")                       # contested
    yield of(run(300_000, 1_000), lesson="open-2")                  # backwards
    yield of(run(650_000, 720_000), lesson="open-3")                # partly contested
    yield of(run(0, 1_234_567), learner="张老师", portal="basic")     # too long
    yield of(run(1_000, 61_000), learner="张老师", portal="basic", lesson="ten-minutes")
    yield of(run(100, 900), learner="brief")                        # at most one whole second
    yield of(run(100, 120), learner="brief")                        # most likely none
    yield of(run(0, 10_000, media_to_ms=11_501))                    # a seek
    yield of(run(0, 10_000, media_to_ms=11_500), learner="drift")   # just tolerated
    yield of(run(0, 10_000, rate=0.2, media_to_ms=2_000))
    yield of(run(0, 10_000, rate=2.5))
    yield of(run(595_000, 610_000), lesson="ten-minutes")
    yield of(run(0, 10_000), lesson="nowhere")
    yield of(run(0, 10_000), lesson="winter-1", course="winter")    # closed long ago
    yield of(run(0, 10_000), ago_ms=-600_000)                       # ahead of the clock
    yield of(run(0, SESSION_MS + 1), learner="late")                # beyond expiry
    yield of(run(0, 10_000), ago_ms=2 * 86_400_000)                 # beyond expiry and horizon
    yield of(run(0, 10_000), ago_ms=86_400_000 + 30 * 60_000)       # older than the horizon
    yield of({"from_ms": 0, "to_ms": 10_000})
    for name, value in (("from_ms", -1), ("to_ms", 10_000.5), ("to_ms", "10000"), ("to_ms", 2**32), ("rate", None),
                        ("media_from_ms", 10_000), ("media_to_ms", True)):
        yield of({**run(0, 10_000), name: value})
    yield of(None)
    yield of("run")
    yield {"runs": [run(0, 10_000)]}                                # no token
    yield {"session_token": session_token(start_ms)}                # no runs
    yield {}
    yield "no JSON"


def summary(response):
    return response.status, response.json().get("results")


def test_answers_and_redis_are_as_with_minuted(peer, redis, new_minuted, tmp_path, services):
    other_redis = RedisServer(tmp_path / "other-redis")
    services.append(other_redis)
    minuted = new_minuted(other_redis.start(), brokers=NOWHERE).start()
    answered = set()
    for body in heartbeats(now_ms()):
        wanted = summary(minuted.client.post("/v1/heartbeats", body))
        assert summary(peer.client.post("/v1/heartbeats", body)) == wanted, body
        answered.update([wanted[0], *(result.get("reason", "accepted") for result in wanted[1] or [])])
    assert answered >= {400, 401, 410, "accepted", "malformed", "too_long", "rate_too_high", "media_mismatch",
                        "outside_lesson", "lesson_unknown", "lesson_closed", "ahead_of_clock", "too_late"}
    assert held(redis.client) and held(redis.client) == held(other_redis.client)
