"""Whatever Redis does to the daemon, no player hears a lie: each fault is answered by 503 or `retry` in time, counted,
named in the log, and nothing accepted is lost; afterwards the same runs are accepted, by the daemon's own doing."""

import re
import shutil
import signal
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import redis as redis_py

from harness.agreement import wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.crowd import Crowd
from harness.http_client import HttpClient
from harness.ledger import Ledger
from harness.player import Player, accepted, run
from harness.redis_server import SERVER, RedisServer
from harness.service import PATIENCE_S, Service, free_port, wait_until

LOG_BURST = 10  # lines of one kind in a window
LOG_WINDOW_S = 10


@pytest.fixture
def redis(tmp_path, services):
    """May be told to sleep, and loads slowly when asked to."""
    server = RedisServer(tmp_path / "redis", **{"enable-debug-command": "yes"})
    services.append(server)
    return server.start()


# --- faults: each a context that lasts while players send ------------------------------------------

@contextmanager
def configured(redis, name, value):
    before = redis.client.config_get(name)[name]
    redis.client.config_set(name, value)
    yield
    redis.client.config_set(name, before)


def full(redis):
    return configured(redis, "maxmemory", "1mb")


def without_its_replicas(redis):
    return configured(redis, "min-replicas-to-write", "1")


@contextmanager
def snapshots_failing(redis):
    """A folder stands where the snapshot should: MISCONF."""
    obstacle = redis.directory / "dump.rdb"
    obstacle.mkdir()
    with configured(redis, "save", "3600 1000000"):
        redis.client.bgsave()
        wait_until(lambda: redis.client.info("persistence")["rdb_last_bgsave_status"] == "err", "a snapshot fails")
        yield
        obstacle.rmdir()
        redis.client.bgsave()
        wait_until(lambda: redis.client.info("persistence")["rdb_last_bgsave_status"] == "ok", "a snapshot is made")


@contextmanager
def endless(redis, call, kill):
    """A script that never ends, until it is killed."""
    redis.client.config_set("busy-reply-threshold", "20")
    victim = redis_py.Redis(port=redis.port, socket_timeout=PATIENCE_S)
    thread = threading.Thread(target=lambda: pytest.raises(redis_py.ResponseError, victim.execute_command, *call))
    thread.start()
    yield
    redis.client.execute_command(*kill)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def busy_with_a_script(redis):
    return endless(redis, ["EVAL", "while true do end", 0], ["SCRIPT", "KILL"])


def busy_with_a_function(redis):
    redis.client.execute_command(
        "FUNCTION", "LOAD", "#!lua name=endless\nredis.register_function('endless', function() while true do end end)")
    return endless(redis, ["FCALL", "endless", 0], ["FUNCTION", "KILL"])


@contextmanager
def made_a_replica(redis):
    redis.client.replicaof("127.0.0.1", free_port())
    yield
    redis.client.replicaof("NO", "ONE")


@contextmanager
def loading(redis):
    """Killed, and slow to read what it had: LOADING."""
    redis.client.mset({f"ballast:{i}": "x" * 100 for i in range(300)})
    redis.client.bgrewriteaof()
    wait_until(lambda: not redis.client.info("persistence")["aof_rewrite_in_progress"], "the log is rewritten")
    keys = redis.client.dbsize()
    redis.kill()
    redis.settings |= {"key-load-delay": 6_000_000 // keys, "loading-process-events-interval-bytes": 1024}
    starting = threading.Thread(target=redis.start)
    starting.start()
    yield
    starting.join(PATIENCE_S)
    assert redis.client.ping()


@contextmanager
def asleep(redis, seconds):
    sleeper = redis_py.Redis(port=redis.port, socket_timeout=PATIENCE_S)
    thread = threading.Thread(target=sleeper.execute_command, args=("DEBUG", "SLEEP", seconds))
    thread.start()
    yield
    thread.join(PATIENCE_S)


@contextmanager
def stopped(redis):
    redis.signal(signal.SIGSTOP)
    yield
    redis.signal(signal.SIGCONT)


@contextmanager
def writes_paused(redis):
    redis.client.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
    yield
    redis.client.execute_command("CLIENT", "UNPAUSE")


@contextmanager
def again_and_again(every, action):
    """Calls ACTION every so many seconds beside the players."""
    over = threading.Event()

    def repeat():
        while not over.wait(every):
            action()
    thread = threading.Thread(target=repeat)
    thread.start()
    yield
    over.set()
    thread.join(PATIENCE_S)


def killing_clients(redis):
    return again_and_again(0.3, lambda: redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal"))


def flushing_functions(redis):
    return again_and_again(0.01, lambda: redis.client.execute_command("FUNCTION", "FLUSH"))


@contextmanager
def no_connection_left(redis):
    with configured(redis, "maxclients", "1"):
        redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal")
        yield


@contextmanager
def asking_for_a_password(redis):
    redis.client.config_set("requirepass", "secret")
    redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    yield
    redis.client.config_set("requirepass", "")


@contextmanager
def forbidding_functions(redis):
    redis.client.execute_command("ACL", "SETUSER", "default", "-fcall")
    yield
    redis.client.execute_command("ACL", "SETUSER", "default", "+fcall")


@contextmanager
def crashing(redis):
    redis.restart()
    yield
    redis.restart()


# --- what an operator sees -------------------------------------------------------------------------

class Operator(threading.Thread):
    """Asks /readyz?verbose and /metrics all the time, as a probe and a dashboard would."""

    def __init__(self, minuted, server):
        super().__init__(daemon=True)
        self.minuted, self.usable_name = minuted, f'minuted_redis_usable{{server="{server}"}}'
        self.over, self.readyz, self.usable = threading.Event(), set(), set()

    def run(self):
        client = HttpClient(self.minuted.admin_port)
        while not self.over.wait(0.05):
            self.readyz.add(client.get("/readyz?verbose").body.decode())
            metrics = dict(line.rsplit(" ", 1) for line in client.get("/metrics").body.decode().splitlines()
                           if not line.startswith("#"))
            self.usable.add(float(metrics[self.usable_name]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(PATIENCE_S)


def refusals_counted(minuted):
    return minuted.metric("minuted_store_failed_runs_total") + minuted.metric("minuted_requests_shed_total")


def check_log(lines, server, words, seconds=LOG_WINDOW_S):
    """Some line names the server and the error; no kind of line is a flood within the SECONDS that they took."""
    for word in words:
        assert any(word in line and server in line for line in lines), f"nobody says {word!r}:\n" + "\n".join(lines)
    kinds = Counter(re.search(r"event=(\w+)", line)[1] for line in lines)
    windows = 2 + int(seconds / LOG_WINDOW_S)  # the first and the last may be touched alone
    assert max(kinds.values(), default=0) <= windows * LOG_BURST, kinds


# --- the table -------------------------------------------------------------------------------------

@dataclass
class Fault:
    begin: object
    logged: tuple = ()     # words of lines in the log
    ready: str = ""        # what /readyz?verbose says meanwhile
    seconds: float = 0.8
    refuses: bool = True   # players are told; else what fails is made good before anyone hears of it


FAULTS = {
    "refusing": {
        "full": Fault(full, ("OOM",), "OOM"),
        "without replicas": Fault(without_its_replicas, ("NOREPLICAS",), "NOREPLICAS"),
        "snapshots failing": Fault(snapshots_failing, ("MISCONF",), "MISCONF"),
        "forbidding functions": Fault(forbidding_functions, ("NOPERM",), "NOPERM"),
        "asking for a password": Fault(asking_for_a_password, ("NOAUTH",), "NOAUTH"),
    },
    "busy": {
        "busy with a script": Fault(busy_with_a_script, ("BUSY",), "BUSY"),
        "busy with a function": Fault(busy_with_a_function, ("FUNCTION KILL",), "BUSY"),
        "made a replica": Fault(made_a_replica, ("READONLY", "is a replica"), "is a replica"),
        "no connection left": Fault(no_connection_left, ("max number of clients",), "max number of clients"),
        "loading": Fault(loading, ("is loading its data",), "is loading its data"),
    },
    "silent": {
        "asleep for 2 s": Fault(lambda r: asleep(r, 2), seconds=2.2, refuses=False),
        "asleep for 8 s": Fault(lambda r: asleep(r, 8), ("no answer in time",)),
        "stopped": Fault(stopped, ("no answer in time",), "no answer in time"),
        "writes paused": Fault(writes_paused, ("no answer in time",), "does not answer"),
    },
    "cut off": {
        # It comes once, so it comes before clients are killed so often that their lines are suppressed.
        "crashing": Fault(crashing, ("redis_disconnected",), refuses=False),
        "clients killed": Fault(killing_clients, ("redis_disconnected",), refuses=False),
        "functions flushed": Fault(flushing_functions, ("functions_missing",), refuses=False),
    },
}


def live_through(name, fault, crowd, minuted, redis):
    """The fault lasts until all that it must cause was seen: no answer may wait for its end."""
    refused, counted, said = crowd.refused, refusals_counted(minuted), len(minuted.log_text())
    began = time.monotonic()
    with fault.begin(redis), Operator(minuted, redis.address) as operator:
        def told():
            return not fault.refuses or crowd.refused > refused and refusals_counted(minuted) > counted

        def shown():
            return any(fault.ready in text for text in list(operator.readyz)) and (
                not fault.ready or 0.0 in operator.usable)

        def logged():
            lines = minuted.log_text()[said:].splitlines()
            return all(any(word in line and redis.address in line for line in lines) for word in fault.logged)
        crowd.play(fault.seconds, until=lambda: told() and shown() and logged())
    crowd.check_promises(redis.client)
    crowd.deliver()
    crowd.play_until_accepted(0.2)
    check_log(minuted.log_text()[said:].splitlines(), redis.address, fault.logged, time.monotonic() - began)


@pytest.mark.parametrize("kind", FAULTS)
def test_storm(minuted, redis, kind):
    """One after the other, the daemon and its players live through them; only then all counts are compared."""
    crowd = Crowd([minuted])
    crowd.play_until_accepted(0.2)
    for name, fault in FAULTS[kind].items():
        live_through(name, fault, crowd, minuted, redis)
    crowd.check_agreement(redis.client)
    wait_until(minuted.is_ready, "ready again")


# --- keys of a wrong type ---------------------------------------------------------------------------

def tag_of(redis, watcher):
    """The tag of the partition that a watcher's learner belongs to."""
    key, = redis.client.scan_iter(match=f"minuted:*:t:{watcher.session.name}", count=1000)
    return re.search(rb"\{(.*)\}", key)[1].decode()


@contextmanager
def spoiled(redis, *patterns):
    """The keys that match hold a list, which none of minuted's do; what they held is put back afterwards."""
    keys = [key for pattern in patterns for key in redis.client.scan_iter(match=pattern, count=1000)]
    assert keys, patterns
    for key in keys:
        redis.client.rename(key, b"saved:" + key)
        redis.client.rpush(key, "spoiled")
    yield
    for key in keys:
        redis.client.rename(b"saved:" + key, key)


@contextmanager
def nobody_publishes(minuted, redis):
    """Someone else seems to hold the lease, so that what is accepted stays dirty."""
    redis.client.set("minuted:publisher", "somebody else")
    minuted.wait_log("event=lease_lost")
    yield
    redis.client.delete("minuted:publisher")


def dirty_learners(redis):
    """The learners who are not published, but for keys that are spoiled."""
    keys = redis.client.scan_iter(match="minuted:*:d:*", count=1000, _type="set")
    return {learner.decode() for key in keys for learner in redis.client.smembers(key)}


def by_partition(redis, crowd):
    """tag -> the watchers whose learners share its partition."""
    found = defaultdict(list)
    for watcher in crowd.watchers:
        found[tag_of(redis, watcher)].append(watcher)
    return found


def test_a_spoiled_learner_holds_up_nobody_else(minuted, redis):
    crowd = Crowd([minuted], 24)
    with ExitStack() as holding:
        crowd.play_until_accepted(0.2)
        victim, *mates = max(by_partition(redis, crowd).values(), key=len)
        assert mates
        holding.enter_context(nobody_publishes(minuted, redis))
        crowd.play_until_accepted(0.2)
        with spoiled(redis, f"minuted:*:t:{victim.session.name}"):
            holding.close()
            crowd.play(1)
            crowd.deliver([w for w in crowd.watchers if w is not victim])
            wait_until(lambda: dirty_learners(redis) == {victim.session.name}, "all others are published")
            assert victim.owed
            wait_until(lambda: minuted.metric("minuted_publish_backlog") > 0, "the backlog is told")
    crowd.check_promises(redis.client)
    crowd.deliver()
    check_log(minuted.log_text().splitlines(), redis.address,
              [f'event=learner_unreadable server={redis.address} ',
               f'learner="{victim.session.name}" error="WRONGTYPE'])
    crowd.check_agreement(redis.client)


def spoil_partition(kind, tag, crowd, minuted, redis):
    mates = by_partition(redis, crowd)[tag]
    said = len(minuted.log_text())
    with ExitStack() as holding:
        holding.enter_context(nobody_publishes(minuted, redis))
        crowd.play_until_accepted(0.2)
        with spoiled(redis, f"minuted:{{{tag}}}:{kind}"):
            holding.close()
            crowd.play(0.5)
            crowd.deliver([w for w in crowd.watchers if w not in mates])
            names = {w.session.name for w in mates}
            wait_until(lambda: dirty_learners(redis) <= names, f"all others are published while {kind} is spoiled")
    crowd.check_promises(redis.client)
    crowd.deliver()
    check_log(minuted.log_text()[said:].splitlines(), redis.address,
              [f"partition={tag.split('.')[0]} error=\"WRONGTYPE"])


def test_a_spoiled_partition_holds_up_no_other(minuted, redis):
    crowd = Crowd([minuted], 24)
    crowd.play_until_accepted(0.2)
    tag = tag_of(redis, crowd.watchers[0])
    for kind in ("w:*", "d:*", "l:*", "due", "ld", "floor"):
        spoil_partition(kind, tag, crowd, minuted, redis)
    crowd.check_agreement(redis.client)


@pytest.mark.parametrize("key, refuses", [("publisher", False), ("watermarks", False), ("settings", True)])
def test_a_spoiled_key_of_the_deployment(minuted, redis, key, refuses):
    crowd = Crowd([minuted])
    crowd.play_until_accepted(0.3)
    minuted.advance(20 * MINUTE_MS)
    wait_until(lambda: redis.client.exists("minuted:watermarks"), "there is a watermark")
    with spoiled(redis, f"minuted:{key}"):
        minuted.advance(20 * MINUTE_MS)
        wait_until(lambda: "WRONGTYPE" in minuted.log_text(), "the error is named")
        if refuses:
            crowd.play(1, until=lambda: crowd.refused > 0)
            assert crowd.owed()
            wait_until(lambda: "WRONGTYPE" in minuted.readyz()[1], "operators are told")
        else:
            crowd.play_until_accepted(1)
            assert "WRONGTYPE" not in minuted.readyz()[1]
    crowd.check_promises(redis.client)
    crowd.deliver()
    check_log(minuted.log_text().splitlines(), redis.address, ["WRONGTYPE"])
    crowd.check_agreement(redis.client)


# --- failover ---------------------------------------------------------------------------------------

class Sentinel(Service):
    name = "sentinel"

    def __init__(self, directory, primary):
        super().__init__(directory)
        self.port = free_port()
        self.config = self.directory / "sentinel.conf"
        self.config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor minuted 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds minuted 500\nsentinel failover-timeout minuted 3000\n")
        self.client = redis_py.Redis(port=self.port, socket_timeout=PATIENCE_S)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.spawn([SERVER, self.config, "--sentinel"])
        self.wait_ready(lambda: len(self.client.execute_command("SENTINEL", "REPLICAS", "minuted")) == 2)
        return self


@pytest.fixture
def group(tmp_path, services):
    """A primary, two replicas and the sentinel that watches them."""
    servers = [RedisServer(tmp_path / "redis-0", **{"repl-diskless-sync-delay": 0})]
    servers += [RedisServer(tmp_path / f"redis-{i}", **{"repl-diskless-sync-delay": 0},
                            replicaof=f"127.0.0.1 {servers[0].port}") for i in (1, 2)]
    for server in servers:
        services.append(server)
        server.start()
    sentinel = Sentinel(tmp_path / "sentinel", servers[0])
    services.append(sentinel)
    for server in servers[1:]:
        wait_until(lambda s=server: s.client.info("replication")["master_link_status"] == "up", "a replica follows")
    return servers, sentinel.start()


def primary_of(servers):
    return next(s for s in servers if s.client.info("replication")["role"] == "master")


def crash(servers, sentinel):
    servers[0].kill()


def switch(servers, sentinel):
    sentinel.client.execute_command("SENTINEL", "FAILOVER", "minuted")


@pytest.mark.parametrize("action", [crash, switch])
def test_failover_to_a_replica(new_minuted, group, action):
    """What every replica has acknowledged is in the one that is promoted, whichever it is."""
    servers, sentinel = group
    minuted = new_minuted(sentinel, changes={"redis": {"durability": "replicas:2"}}).start(NOW_MS)
    crowd = Crowd([minuted])
    crowd.play_until_accepted(0.3)
    acting = threading.Timer(0.3, action, (servers, sentinel))
    acting.start()
    crowd.play(1.5, until=lambda: crowd.refused > 0 and refusals_counted(minuted) > 0)
    primary = wait_until(lambda: primary_of(servers[1:]), "a replica is promoted")
    if not servers[0].running():
        servers[0].start()
    servers[0].client.replicaof("127.0.0.1", primary.port)
    crowd.check_promises(primary.client)
    crowd.deliver()
    check_log(minuted.log_text().splitlines(), servers[0].address, ["event=redis_not_ready"])
    crowd.check_agreement(primary.client)


def test_what_a_failover_lost_is_not_paid_twice(minuted, redis, tmp_path, catalog):
    """Past the barrier: what was accepted and published is gone from Redis, and the same minute is claimed again."""
    player = Player(minuted, "teacher-1")
    session, other = player.open("open-1"), player.open("winter-1", "tablet")
    minuted.advance(10 * MINUTE_MS)
    log, older = redis.directory / "appendonlydir", tmp_path / "older"
    shutil.copytree(log, older)
    assert player.send(session, run(0, 60_000)) == [accepted(60)]
    wait_settled(redis.client)

    redis.kill()
    shutil.rmtree(log)
    shutil.copytree(older, log)
    redis.start()
    results = wait_until(lambda: player.send(other, run(0, 60_000)), "accepted again")
    assert results == [accepted(60)], "Redis knows nothing of it any more"
    wait_settled(redis.client)
    report = Ledger(tmp_path / "ledger.db", minuted.brokers(), catalog).follow().hours()["higher/teacher-1"]
    assert sum(course["watched_seconds"] for course in report["courses"]) == 60
