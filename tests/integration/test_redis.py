"""What a Redis that is away, wrongly set up, full or emptied of its functions does to players: never a lost run."""

import re
import time

import pytest

from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import MINUTED
from harness.player import Player, accepted, run, watched
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.service import wait_until


@pytest.fixture
def start_redis(tmp_path, services):
    def start(name="other-redis", **settings):
        server = RedisServer(tmp_path / name, **settings)
        services.append(server)
        return server.start()
    return start


def sent_until_accepted(player, session, sent):
    """Sends RUN as an SDK does: again and again until it is accepted."""
    def attempt():
        response = player.post_once(session.heartbeat(sent))
        if response.status == 200 and response.json()["results"][0]["status"] == "accepted":
            return response.json()["results"][0]
        assert response.status in (200, 503), response
        return None
    return wait_until(attempt, "the run is accepted")


def test_redis_away_is_503_and_comes_back(minuted, player, redis):
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    redis.kill()

    def refused():
        response = player.post_once(session.heartbeat(run(10_000, 20_000)))
        if response.status == 200:
            assert response.json()["results"] == [{"status": "retry", "reason": "unavailable"}]
            return None
        return response
    response = wait_until(refused, "503 while Redis is away")
    assert response.status == 503 and int(response.headers["retry-after"]) >= 1
    assert response.content_type == "application/problem+json"
    assert player.client.get("/v1/progress", headers={"Authorization": f"Bearer {player.token}"}).status == 503
    assert minuted.admin_client.get("/livez").status == 200

    redis.start()
    assert sent_until_accepted(player, session, run(10_000, 20_000)) == accepted(10)
    assert watched(player.progress()) == {"open-1": 20}
    wait_until(minuted.is_ready, "ready again")


def test_not_ready_while_redis_is_away(minuted, redis):
    redis.kill()
    wait_until(lambda: minuted.admin_client.get("/readyz").status == 503, "not ready")
    assert redis.address in minuted.readyz()[1]
    redis.start()
    wait_until(minuted.is_ready, "ready again")


def test_retry_after_is_jittered(minuted, player, redis):
    session = player.open("open-1")
    redis.kill()
    wait_until(lambda: player.post_once(session.heartbeat(run(0, 1))).status in (200, 503), "an answer")
    minuted.advance(MINUTE_MS)
    wait_until(lambda: player.post_once(session.heartbeat(run(0, 9000))).status == 503, "503")
    answers = [player.post_once(session.heartbeat(run(0, 9000))) for _ in range(40)]
    assert len({a.headers["retry-after"] for a in answers if a.status == 503}) > 1
    redis.start()


def refused(player, session):
    """The Retry-After of a refused heartbeat, in seconds; None when it was taken."""
    response = player.post_once(session.heartbeat(run(0, 9000)))
    if response.status != 503:
        return None
    seconds = int(response.headers["retry-after"])
    assert 1 <= seconds <= 15, "heartbeats.interval"
    return seconds


def test_retry_after_grows_with_the_outage_and_falls_back(new_minuted, redis):
    minuted = new_minuted(redis, changes={"http": {"workers": 1}}).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    for _ in range(2):
        redis.kill()
        first = wait_until(lambda: refused(player, session), "refused")
        assert first < 9
        wait_until(lambda: refused(player, session) > 9, "players are asked to stay away longer", every=0.2)
        redis.start()
        sent_until_accepted(player, session, run(0, 9000))
        over = time.monotonic() + 1.5  # the outage ends with a success a second after its last refusal
        wait_until(lambda: sent_until_accepted(player, session, run(0, 9000)) and time.monotonic() > over, "it is over")
        response = player.post_once(session.heartbeat(run(0, 9000)))
        assert response.json()["heartbeat_interval_ms"] == 15_000


def test_redis_crashes_under_load_and_nothing_accepted_is_lost(minuted, player, redis):
    session = player.open("open-1")
    minuted.advance(30 * MINUTE_MS)
    accepted_runs = 0
    for i in range(60):
        if i in (20, 40):
            redis.restart()
        credited = sent_until_accepted(player, session, run(i * 10_000, i * 10_000 + 10_000))
        # A retry of what was written before the answer got lost counts as a duplicate.
        assert credited["credited_seconds"] + credited["duplicate_seconds"] == 10
        accepted_runs += 1
    assert Truth(redis.client).totals == {("higher/teacher-1", "open-1"): accepted_runs * 10}
    assert watched(player.progress()) == {"open-1": 600}


def test_functions_flushed_are_loaded_again(minuted, player, redis):
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    redis.client.execute_command("FUNCTION", "FLUSH")
    assert sent_until_accepted(player, session, run(10_000, 20_000)) == accepted(10)
    assert player.send(session, run(0, 30_000)) == [accepted(10, 20)]


def test_a_redis_without_functions_gets_them(new_minuted, redis):
    assert redis.client.execute_command("FUNCTION", "LIST") == []
    player = Player(new_minuted(redis).start(NOW_MS), "teacher-1")
    assert player.open("open-1")
    libraries = redis.client.execute_command("FUNCTION", "LIST")
    assert len(libraries) == 1


def another_build(path):
    """The daemon as if a letter of functions.lua were another one: what stands in the program is changed in place."""
    program = MINUTED.read_bytes()
    name = re.search(rb"#!lua name=(minuted_[0-9a-f]{12})\n", program)[1]
    other = name[:-4] + (b"0000" if not name.endswith(b"0000") else b"1111")
    path.write_bytes(program.replace(name, other).replace(b"What minuted does inside", b"What minuted did inside "))
    path.chmod(0o755)
    return path, {name.decode(), other.decode()}


def test_two_builds_side_by_side(new_minuted, redis, tmp_path):
    program, names = another_build(tmp_path / "minuted")
    first, second = new_minuted(redis, name="first"), new_minuted(redis, name="second")
    second.program = program
    players = [Player(daemon.start(NOW_MS), f"teacher-{i}") for i, daemon in enumerate((first, second))]

    def libraries():
        return {library[1].decode() for library in redis.client.execute_command("FUNCTION", "LIST")}

    def looks():
        return redis.client.info("commandstats")["cmdstat_function|list"]["calls"]
    assert libraries() == names
    before = looks()
    sessions = [player.open("open-1") for player in players]
    first.advance(MINUTE_MS)
    second.advance(MINUTE_MS)
    for player, session in zip(players, sessions):
        assert player.send(session, run(0, 10_000)) == [accepted(10)]
    wait_until(lambda: looks() >= before + 6, "both daemons look again")
    for player, session in zip(players, sessions):
        assert player.send(session, run(0, 20_000)) == [accepted(10, 10)]
    assert libraries() == names
    assert redis.client.info("commandstats")["cmdstat_function|load"]["calls"] == 2, "each loads its own, once"
    assert {field.decode() for field in redis.client.hkeys("minuted:settings")} >= {f"library:{n}" for n in names}


def test_keys_carry_the_partition_tag(minuted, player, redis):
    for i in range(20):
        someone = Player(minuted, f"teacher-{i}")
        session = someone.open("open-1")
        minuted.advance(2000)
        someone.send(session, run(0, 1000))
    keys = [k.decode() for k in redis.client.keys("minuted:*")]
    tags = {k.split("{")[1].split("}")[0] for k in keys if "{" in k}
    partitions = {int(tag.split(".")[0]) for tag in tags}
    assert len(partitions) > 5 and partitions <= set(range(16)) and len(tags) == len(partitions)


# --- set up wrongly -----------------------------------------------------------------------------

def refusal(minuted, *words):
    """The daemon must refuse to start and say why in words."""
    minuted.launch()
    code = minuted.wait_exit()
    log = minuted.log_text()
    assert code not in (0, 99) and code > 0, log
    for word in words:
        assert word in log, log


@pytest.mark.parametrize("settings, words", [
    ({"appendonly": "no"}, ["appendonly"]),
    ({"appendfsync": "everysec"}, ["appendfsync", "always"]),
    ({"maxmemory-policy": "allkeys-lru"}, ["maxmemory-policy", "noeviction"]),
])
def test_a_redis_that_would_lose_data_is_refused_at_start(new_minuted, start_redis, settings, words):
    server = start_redis(**settings)
    refusal(new_minuted(server), server.address, *words)


def test_memory_is_content_with_no_persistence(new_minuted, start_redis):
    server = start_redis(appendonly="no")
    player = Player(new_minuted(server, changes={"redis": {"durability": "memory"}}).start(NOW_MS), "teacher-1")
    assert player.open("open-1")


def test_eviction_is_refused_also_for_memory(new_minuted, start_redis):
    server = start_redis(**{"appendonly": "no", "maxmemory-policy": "volatile-ttl"})
    refusal(new_minuted(server, changes={"redis": {"durability": "memory"}}), "noeviction")


def test_other_partitions_or_horizon_are_refused(new_minuted, redis):
    new_minuted(redis, name="first").start().stop()
    refusal(new_minuted(redis, name="partitions", changes={"redis": {"partitions": 32}}), "partitions", "16", "32")
    refusal(new_minuted(redis, name="horizon", changes={"heartbeats": {"horizon": "12h"}}), "horizon")
    new_minuted(redis, name="same").start().stop()


@pytest.mark.parametrize("first_dev", [True, False])
def test_a_clock_that_can_be_moved_never_comes_beside_a_real_one(new_minuted, redis, first_dev):
    def daemon(name, dev):
        return new_minuted(redis, brokers="127.0.0.1:1", name=name, dev=dev)
    daemon("first", first_dev).start().stop()
    refusal(daemon("other", not first_dev), redis.address,
            *(["first used by a daemon with --dev", "runs without it"] if first_dev else
              ["first used by a daemon without --dev", "runs with it"]))
    daemon("same", first_dev).start().stop()


def test_settings_changed_while_running_stop_the_accepting(minuted, player, redis):
    """An operator who switches durability off by mistake must not make promises break."""
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    redis.client.config_set("appendfsync", "no")
    wait_until(lambda: minuted.admin_client.get("/readyz").status == 503, "not ready")
    wait_until(lambda: player.post_once(session.heartbeat(run(0, 1000))).status == 503, "nothing is accepted")
    assert player.post_once(session.heartbeat(run(10_000, 20_000))).status == 503
    redis.client.config_set("appendfsync", "always")
    assert sent_until_accepted(player, session, run(10_000, 20_000)) == accepted(10)


# --- full ---------------------------------------------------------------------------------------

def test_out_of_memory_is_503_and_nothing_is_lost(minuted, player, redis):
    session = player.open("open-1")
    minuted.advance(5 * MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    redis.client.config_set("maxmemory", "1mb")
    response = player.post_once(session.heartbeat(run(10_000, 20_000)))
    if response.status == 200:
        assert response.json()["results"] == [{"status": "retry", "reason": "unavailable"}]
    else:
        assert response.status == 503 and "retry-after" in response.headers
    redis.client.config_set("maxmemory", "0")
    assert sent_until_accepted(player, session, run(10_000, 20_000)) == accepted(10)
    assert watched(player.progress()) == {"open-1": 20}


def test_unix_socket(new_minuted, redis):
    minuted = new_minuted(redis, changes={"redis": {"servers": [f"unix:{redis.socket}"]}}).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]


def follow(start_redis, primary):
    replica = start_redis("replica", replicaof=f"127.0.0.1 {primary.port}")
    wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", "the replica follows")
    return replica


def test_what_a_failover_could_lose_is_told(new_minuted, redis, start_redis):
    """At the start, before anything is lost; and it keeps nobody from being served."""
    replica = follow(start_redis, redis)
    minuted = new_minuted(redis).start(NOW_MS)
    risk = f'minuted_redis_failover_risk{{server="{redis.address}"}}'
    wait_until(lambda: minuted.metric(risk) == 1, "the risk is told")
    assert f"event=redis_failover_risk server={redis.address} risk=\"1 of its replicas may be promoted" in minuted.log_text()
    ready = minuted.admin_client.get("/readyz?verbose")
    assert ready.status == 200 and b"1 of its replicas may be promoted" in ready.body, ready
    minuted.stop()

    minuted.change({"redis": {"durability": "fsync+replicas:1"}}).start(NOW_MS)
    wait_until(lambda: minuted.metric(risk) == 0, "every replica that may be promoted is waited for")
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    assert Truth(replica.client).totals == {("higher/teacher-1", "open-1"): 10}
    replica.client.config_set("appendonly", "no")
    wait_until(lambda: minuted.metric(risk) == 1, "a replica that would not be used is told")
    assert replica.address.encode() in minuted.admin_client.get("/readyz?verbose").body


def test_replicas_are_waited_for(new_minuted, redis, start_redis):
    """With `replicas` an answer means that a replica has it; without one nothing is accepted."""
    replica = follow(start_redis, redis)
    minuted = new_minuted(redis, changes={"redis": {"durability": "replicas:1"}}).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(5 * MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    assert Truth(replica.client).totals == {("higher/teacher-1", "open-1"): 10}
    replica.kill()
    response = player.post_once(session.heartbeat(run(10_000, 20_000)))
    assert response.status == 503 or response.json()["results"][0]["status"] == "retry"
    replica.start()
    credited = sent_until_accepted(player, session, run(10_000, 20_000))
    assert credited["credited_seconds"] + credited["duplicate_seconds"] == 10
