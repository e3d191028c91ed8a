"""SIGTERM in every condition; under full load: tests/chaos/test_signals.py."""

import signal
import socket

from harness.catalog import MINUTE_MS, NOW_MS
from harness.http_client import HttpClient
from harness.player import run
from harness.raw import RawConnection
from harness.service import wait_until


def test_readiness_goes_first(minuted, player):
    """While it drains, the operators' port says so and requests under way are answered."""
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    minuted.signal(signal.SIGTERM)
    try:
        response = player.post_once(session.heartbeat(run(0, 10_000)))
        assert response.status in (200, 503)
    except OSError:
        pass
    assert minuted.wait_exit() == 0


def test_idle_connections_do_not_hold_it_up(minuted):
    idle = [HttpClient(minuted.port) for _ in range(20)]
    for client in idle:
        client.get("/v1/progress")
    minuted.stop()


def test_sigterm_while_redis_and_kafka_are_away(new_minuted, redis):
    minuted = new_minuted(redis, "127.0.0.1:1").start(NOW_MS)
    redis.kill()
    minuted.stop()


def test_sigint_is_a_stop_too(minuted):
    minuted.signal(signal.SIGINT)
    assert minuted.wait_exit() == 0


def test_draining_is_told_until_the_end_and_a_second_signal_ends_it(minuted):
    before = minuted.metric("minuted_http_open_connections")
    with RawConnection(minuted.port) as unfinished:
        unfinished.send("POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: minuted.metric("minuted_http_open_connections") > before, "the request has begun")
        minuted.signal(signal.SIGTERM)
        wait_until(lambda: refuses(minuted.port), "new connections are refused")
        status, text = minuted.readyz()
        assert status == 503 and "[-] draining" in text
        minuted.signal(signal.SIGTERM)
        assert minuted.wait_exit() != 0


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False
