"""SIGTERM under load: whatever was accepted is in Redis, and gets published by whoever comes next."""

import signal
import socket
import threading
import time

from harness.agreement import check_published, check_redis
from harness.catalog import MINUTE_MS, NOW_MS
from harness.http_client import HttpClient
from harness.model import Model
from harness.player import Player, run
from harness.raw import RawConnection
from harness.redis_truth import Truth
from harness.service import wait_until


class Sender(threading.Thread):
    """Sends one second after another on a connection of its own until the daemon goes away."""

    def __init__(self, minuted, session):
        super().__init__(daemon=True)
        self.client = HttpClient(minuted.port)
        self.session, self.accepted, self.unanswered, self.statuses = session, [], [], set()

    def run(self):
        for i in range(3000):
            sent = run(i * 1000, i * 1000 + 1000)
            try:
                response = self.client.post("/v1/heartbeats", self.session.heartbeat(sent))
            except Exception:  # noqa: BLE001 - refused or cut off: the end
                self.unanswered.append(sent)
                return
            self.statuses.add(response.status)
            if response.status != 200:
                return
            if response.json()["results"][0]["status"] == "accepted":
                self.accepted.append(sent)


def start_senders(minuted, n=8):
    sessions = [Player(minuted, f"teacher-{i}").open("open-1") for i in range(n)]
    minuted.advance(60 * MINUTE_MS)
    senders = [Sender(minuted, session) for session in sessions]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(len(s.accepted) > 20 for s in senders), "the load runs")
    return senders


def model_of(senders):
    model = Model()
    for sender in senders:
        for sent in sender.accepted:
            model.claim(sender.session.name, "open-1", sender.session.anchor_ms, sent)
    return model


def test_sigterm_under_load_loses_nothing(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, "first").start(NOW_MS)
    senders = start_senders(minuted)
    minuted.stop()
    for sender in senders:
        sender.join(20)
        assert sender.statuses <= {200, 503}, sender.statuses
        assert not sender.unanswered or len(sender.unanswered) == 1
    model = model_of(senders)
    # An orderly stop answers what it took, so not one second more is in Redis than was accepted.
    check_redis(model, Truth(redis.client))

    new_minuted(redis, kafka.brokers, "second", {
        "kafka": {"deployment": minuted.config["kafka"]["deployment"]}}).start()
    check_published(model, redis.client, kafka.brokers, 60)


def test_sigkill_under_load_loses_nothing_accepted(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, "first").start(NOW_MS)
    senders = start_senders(minuted)
    minuted.kill()
    for sender in senders:
        sender.join(20)
    held = Truth(redis.client).minutes
    for key, seconds in model_of(senders).minutes().items():
        assert seconds <= held.get(key, set()), f"accepted and lost: {key}"


def test_readiness_goes_first(minuted, player):
    """While it drains, the operators' port says so and requests under way are answered."""
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    minuted.signal(signal.SIGTERM)
    try:
        response = player.post(session.heartbeat(run(0, 10_000)))
        assert response.status in (200, 503)
    except OSError:
        pass
    assert minuted.wait_exit(30) == 0


def test_idle_connections_do_not_hold_it_up(minuted):
    idle = [HttpClient(minuted.port) for _ in range(20)]
    for client in idle:
        client.get("/v1/progress")
    began = time.monotonic()
    minuted.stop()
    assert time.monotonic() - began < 15


def test_sigterm_while_redis_and_kafka_are_away(new_minuted, redis):
    minuted = new_minuted(redis, "127.0.0.1:1").start(NOW_MS)
    redis.kill()
    began = time.monotonic()
    minuted.stop()
    assert time.monotonic() - began < 45


def test_sigint_is_a_stop_too(minuted):
    minuted.signal(signal.SIGINT)
    assert minuted.wait_exit(30) == 0


def test_draining_is_told_until_the_end_and_a_second_signal_ends_it(minuted):
    with RawConnection(minuted.port) as unfinished:
        unfinished.send("POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: b"minuted_http_open_connections 1" in minuted.admin_client.get("/metrics").body,
                   "the request has begun")
        minuted.signal(signal.SIGTERM)
        wait_until(lambda: refuses(minuted.port), "new connections are refused")
        status, text = minuted.readyz()
        assert status == 503 and "[-] draining" in text
        minuted.signal(signal.SIGTERM)
        assert minuted.wait_exit(5) != 0


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False
