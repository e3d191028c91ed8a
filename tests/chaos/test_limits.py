"""The daemon at its limits: no file descriptor left, a memory ceiling, a full disk under Redis."""

import json
import resource
import signal
import time
from contextlib import ExitStack, suppress

import pytest

from harness.agreement import check_progress, check_published, check_redis
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import SANITIZED
from harness.http_client import is_readable
from harness.load import Client, Load
from harness.model import Model
from harness.player import Player, run
from harness.process import cpu_share, descriptors_left, limit, limited, memory
from harness.raw import ClosedUnanswered, RawConnection, post
from harness.records import proto
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.service import wait_until

LOG_WINDOW_S = 10  # in which ten lines of a kind are written
IDLE_SHARE = 0.15  # of one processor: what waits must not spin
KIB = 1024


class Watcher:
    """A player that watches second after second, and the model of what it was credited."""

    def __init__(self, minuted, learner="teacher-1", minutes=60):
        self.player = Player(minuted, learner)
        self.session, self.model, self.next_ms = self.player.open("open-1"), Model(), 0
        minuted.advance(minutes * MINUTE_MS)

    def heartbeat(self):
        """The status and the result of the next second; the same second again when it was not accepted."""
        second = run(self.next_ms, self.next_ms + 1000)
        response = self.player.post_once(self.session.heartbeat(second))
        if response.status != 200:
            return response.status
        status = response.json()["results"][0]["status"]
        if status == "accepted":
            self.model.claim(self.session.name, "open-1", self.session.anchor_ms, second)
            self.next_ms += 1000
        return status

    def watch(self, seconds=5):
        for _ in range(seconds):
            self.wait_accepted()

    def wait_accepted(self):
        wait_until(lambda: self.heartbeat() == "accepted", "a heartbeat is accepted")


# --- file descriptors ---------------------------------------------------------------------------

def connect(port, stack):
    return stack.enter_context(RawConnection(port))


def answered(connections, seconds=0.5):
    """Those that are let in within SECONDS in all: a progress without a token is answered 401."""
    deadline, done = time.monotonic() + seconds, []
    for connection in (c for c in connections if not c.told):
        connection.socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            status = connection.response()[0]
        except TimeoutError:
            continue
        except (ClosedUnanswered, ConnectionResetError):
            assert not connection.buffer, connection.buffer
            connection.told = True  # its request was not yet read when it had to make room for another connection
            continue
        assert status in (401, 503)
        connection.told = True
        if status == 401:
            done.append(connection)
    return done


def wait_answered(connections, n):
    """N of them or more are let in, at last."""
    done = []

    def enough():
        done.extend(answered([c for c in connections if c not in done]))
        return len(done) >= n
    wait_until(enough, f"{n} of {len(connections)} are let in")
    return done


def wait_told(connections):
    """Waits until each was let in, or has made room for another; returns those that were let in."""
    done = []

    def told():
        done.extend(answered(connections))
        return all(connection.told for connection in connections)
    wait_until(told, f"{len(connections)} are told something")
    return done


def ask(port, stack, n):
    """N new connections, each with a request on its way."""
    return [connect(port, stack).send("GET /v1/progress HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(n)]


def test_no_descriptor_left_waits_without_spinning_and_heals(minuted):
    """A limit lowered under the running daemon: new connections wait in the kernel's queue, old ones are answered."""
    watcher, pid, began = Watcher(minuted), minuted.process.pid, time.monotonic()
    watcher.watch()
    counted = minuted.metric("minuted_http_refused_connections_total")
    with ExitStack() as stack, limited(pid, resource.RLIMIT_NOFILE, descriptors_left(pid, 10)):
        crowd = ask(minuted.port, stack, 60)
        served = wait_answered(crowd, 5)
        served += answered([c for c in crowd if c not in served])
        # What the daemon closes of its own, when it cannot look at Redis, is taken by those who wait, too.
        assert len(served) < len(crowd)
        assert cpu_share(pid) < IDLE_SHARE
        assert watcher.heartbeat() in ("accepted", 503)
        assert minuted.metric("minuted_http_refused_connections_total") > counted
        assert minuted.is_live()
        windows = 2 + int((time.monotonic() - began) / LOG_WINDOW_S)
        assert 1 <= minuted.log_text().count("event=accept_failed") <= 10 * windows

        # Places that become free are taken by those who wait.
        for connection in served:
            connection.socket.close()
        waiting = [c for c in crowd if c not in served]
        more = wait_answered(waiting, 1)
        limit(pid, resource.RLIMIT_NOFILE, descriptors_left(pid, 100))
        rest = [c for c in waiting if c not in more]
        assert len(rest) - len(wait_told(rest)) <= minuted.metric("minuted_http_yielded_connections_total")
    watcher.wait_accepted()
    watcher.watch()


def test_operators_port_without_descriptors_waits_too(minuted):
    pid = minuted.process.pid
    Watcher(minuted).watch()
    minuted.wait_log("event=publishing")  # by then, what connecting to Kafka takes for a moment is given back
    with ExitStack() as stack, limited(pid, resource.RLIMIT_NOFILE, descriptors_left(pid, 0)):
        late = connect(minuted.admin_port, stack).send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert cpu_share(pid) < IDLE_SHARE
        assert minuted.admin_client.get("/metrics").status == 200
        assert minuted.admin_client.get("/readyz?verbose").status == 200
        limit(pid, resource.RLIMIT_NOFILE, descriptors_left(pid, 10))
        assert late.response()[0] == 200


def test_who_gets_the_last_descriptor_keeps_it(minuted):
    """The look for another connection fails then, and closed the silent one that had just been taken."""
    pid = minuted.process.pid
    minuted.wait_log("event=publishing")
    for port, status in ((minuted.port, 404), (minuted.admin_port, 200)):
        with ExitStack() as stack, limited(pid, resource.RLIMIT_NOFILE, descriptors_left(pid, 1)):
            last = connect(port, stack)
            wait_until(lambda: last.is_taken() or is_readable(last.socket, 0), "the connection is taken")
            last.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert last.response()[0] == status


def test_players_cannot_take_what_redis_needs(new_minuted, redis):
    """The limit that the daemon finds at its start is divided: players cannot take what Redis and Kafka need."""
    minuted = new_minuted(redis)
    minuted.prefix = ["prlimit", "--nofile=512:512"]
    minuted.start(NOW_MS)
    watcher = Watcher(minuted)
    watcher.watch()
    with ExitStack() as stack:
        crowd = ask(minuted.port, stack, 550)
        served = wait_answered(crowd, 255)
        looks = redis.times_asked()
        while redis.times_asked() < looks + 3:
            watcher.watch(1)
        served += answered([c for c in crowd if c not in served])
        redis.kill()
        wait_until(lambda: watcher.heartbeat() == 503, "Redis is missed")
        redis.start()
        watcher.wait_accepted()
        watcher.watch()
        assert len(served) == 255
        assert "event=few_descriptors" in minuted.log_text()
        assert "event=accept_failed" not in minuted.log_text()
    check_redis(watcher.model, Truth(redis.client))


def test_redis_and_kafka_come_back_without_descriptors(kafka, new_minuted, redis):
    """A limit lowered under the running daemon: it asks for sockets in vain, quietly, and heals when it may."""
    minuted = new_minuted(redis, kafka.brokers).start(NOW_MS)
    watcher, pid = Watcher(minuted), minuted.process.pid
    watcher.watch()
    try:
        with limited(pid, resource.RLIMIT_NOFILE, 3):
            redis.kill()
            kafka.kill()
            redis.start()
            wait_until(lambda: watcher.heartbeat() == 503, "Redis is missed")
            assert cpu_share(pid, 2) < IDLE_SHARE
            assert watcher.heartbeat() == 503
            assert minuted.is_live()
    finally:
        kafka.start()
    watcher.wait_accepted()
    watcher.watch()
    minuted.advance(5 * MINUTE_MS)
    check_published(watcher.model, redis.client, kafka.brokers)


# --- memory -------------------------------------------------------------------------------------

MAX_BODY = 64 * KIB
MAX_HEAD = 16 * KIB
CONNECTIONS = 1000
PER_SLOW_SENDER = MAX_BODY + MAX_HEAD + 8 * KIB  # config/minuted.yaml states it


def fat_head(length):
    """A request's head just under the limit, for a body of LENGTH."""
    head = f"POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"{head}X-Filler: {'x' * (MAX_HEAD - len(head) - 20)}\r\n\r\n".encode()


def crowded(redis, new_minuted):
    return new_minuted(redis, changes={"http": {"max_connections": CONNECTIONS + 20}}).start(NOW_MS)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is its own")
def test_slow_senders_take_what_is_stated_and_no_more(new_minuted, redis):
    minuted = crowded(redis, new_minuted)
    watcher, pid = Watcher(minuted), minuted.process.pid
    watcher.watch()
    before = memory(pid)
    for attempt in range(2):
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                connect(minuted.port, stack).send(fat_head(MAX_BODY) + b" " * (MAX_BODY - 1))
            wait_until(lambda: minuted.metric("minuted_http_open_connections") > CONNECTIONS, "all are open")
            watcher.watch()
            wait_until(lambda: memory(pid) - before > CONNECTIONS * MAX_BODY * 0.9, "all has arrived")
            grown = memory(pid) - before
            print(f"{CONNECTIONS} slow senders, time {attempt + 1}: {grown / CONNECTIONS / KIB:.1f} KiB each")
            assert grown < CONNECTIONS * PER_SLOW_SENDER
        wait_until(lambda: minuted.metric("minuted_http_open_connections") < 20, "all of them are closed")
    watcher.watch()


def one_session(session):
    """256 runs of one session, and blanks up to max_body."""
    runs = [run(1000 * i, 1000 * i + 1000) for i in range(256)]
    return post("/v1/heartbeats", json.dumps(session.heartbeat(*runs)).ljust(MAX_BODY), FILLER)


def many_heartbeats(session):
    """Two heartbeats that are good, and as many more as there may be, whose tokens are as long as room is left."""
    good = [session.heartbeat(run(0, 1000))] * 2
    bad = [{"session_token": "m1." + "x" * 160, "runs": [run(0, 1)]}] * 220
    return post("/v1/heartbeats", json.dumps({"heartbeats": good + bad}, separators=(",", ":")), FILLER)


def unknown_fields(session):
    """A protobuf body of fields that nobody knows, each of which would take far more room if it were kept."""
    body = proto("player").HeartbeatRequest()
    body.session_token = session.token.encode()
    for i in range(256):
        body.runs.add(from_ms=1000 * i, to_ms=1000 * i + 1000, media_from_ms=0, media_to_ms=1000, rate=1)
    known = body.SerializeToString()
    return post("/v1/heartbeats", known + b"\x98\x06\x01" * 2000, FILLER, content_type="application/protobuf")


FILLER = f"X-Filler: {'x' * (MAX_HEAD - 300)}"
PER_REQUEST_UNDER_WAY = 2 * MAX_BODY + 256 * KIB  # config/minuted.yaml states it


def queue_up(minuted, redis, crowd, requests, n):
    """Whether all requests came to wait for Redis while it stood still. After a second of that the daemon takes no more,
    and then a slow machine has another try, once what was said has been heard."""
    for connection in crowd:
        with suppress(BlockingIOError):
            while connection.socket.recv(65536):
                pass
    redis.signal(signal.SIGSTOP)
    try:
        for connection in crowd:
            with suppress(BlockingIOError):
                connection.socket.send(requests)
        began = time.monotonic()
        while time.monotonic() - began < 1:
            if minuted.metric("minuted_store_queued_runs") > n:
                return True
    finally:
        redis.signal(signal.SIGCONT)
    return False


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is its own")
@pytest.mark.parametrize("fill, kib", [(one_session, 200), (many_heartbeats, 272), (unknown_fields, 160)])
def test_full_requests_under_way_take_what_is_stated_and_no_more(new_minuted, redis, fill, kib):
    """Hundreds of requests as large as may be, more pipelined behind them, and a Redis that does not answer."""
    minuted = crowded(redis, new_minuted)
    watcher, pid, n = Watcher(minuted), minuted.process.pid, 300
    session = Player(minuted, "teacher-2").open("open-2")
    minuted.advance(10 * MINUTE_MS)
    watcher.watch()
    before, request = memory(pid), fill(session)
    with ExitStack() as stack:
        crowd = [connect(minuted.port, stack) for _ in range(n)]
        for connection in crowd:
            connection.socket.setblocking(False)
        wait_until(lambda: queue_up(minuted, redis, crowd, request * 2, n), f"{n} requests wait for Redis")
        grown = memory(pid, "VmHWM") - before
        print(f"{n} requests under way, {fill.__name__}: {len(request) / KIB:.0f} KiB, {grown / n / KIB:.1f} in memory")
        assert grown < n * min(kib * KIB, PER_REQUEST_UNDER_WAY)
    watcher.wait_accepted()
    watcher.watch()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer reserves address space")
def test_a_memory_ceiling_ends_it_and_loses_nothing_accepted(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, "first").start(NOW_MS)
    sessions = [Player(minuted, f"teacher-{i}").open("open-1") for i in range(20)]
    minuted.advance(60 * MINUTE_MS)
    now_ms, pid = minuted.now_ms(), minuted.process.pid
    load = Load(minuted.port, [Client(session) for session in sessions]).start()
    with ExitStack() as stack:
        limit(pid, resource.RLIMIT_AS, memory(pid, "VmSize") + 8 * KIB * KIB)
        for _ in range(5000):
            try:
                connect(minuted.port, stack).send(fat_head(MAX_BODY) + b" " * (MAX_BODY - 1))
            except OSError:
                break
    load.wait()
    assert minuted.wait_exit() == -signal.SIGABRT
    assert "event=out_of_memory" in minuted.log_text()
    held = Truth(redis.client).minutes
    for key, seconds in load.model().minutes().items():
        assert seconds <= held.get(key, set()), f"accepted and lost: {key}"

    redis.client.delete("minuted:publisher")  # the dead daemon's lease; other tests wait for it
    second = new_minuted(redis, kafka.brokers, "second", {
        "kafka": {"deployment": minuted.config["kafka"]["deployment"]}}).start(now_ms)
    model, player = load.model(), Player(second, "anyone")
    for client in load.clients:
        for sent in client.unanswered:
            assert player.send(client.session, sent)[0]["status"] == "accepted"
            model.claim(client.session.name, "open-1", client.session.anchor_ms, sent)
    second.advance(5 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


# --- a full disk under Redis --------------------------------------------------------------------

def test_a_full_disk_under_redis(kafka, new_minuted, tmp_path, services):
    """The append-only file cannot grow: what is answered meanwhile is 503, what was accepted is there afterwards."""
    redis = RedisServer(tmp_path / "redis")
    redis.prefix = ["env", "--ignore-signal=XFSZ"]  # so that a write fails, as on a full disk
    services.append(redis)
    redis.start()
    minuted = new_minuted(redis, kafka.brokers).start(NOW_MS)
    watcher = Watcher(minuted)
    watcher.watch()
    aof = next((tmp_path / "redis" / "appendonlydir").glob("*.incr.aof"))
    limit(redis.process.pid, resource.RLIMIT_FSIZE, aof.stat().st_size + 2000)
    wait_until(lambda: watcher.heartbeat() == 503, "the file has grown as far as it may", every=0)
    for _ in range(10):
        assert watcher.heartbeat() == 503
    wait_until(lambda: not minuted.is_ready() or not redis.running(), "it is known")

    redis.kill()
    redis.start()
    watcher.wait_accepted()
    watcher.watch()
    minuted.advance(5 * MINUTE_MS)
    check_published(watcher.model, redis.client, kafka.brokers)
    check_progress(watcher.model, [watcher.player])
