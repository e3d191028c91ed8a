"""config/RUNBOOK.md: every procedure is gone through as it stands there, on real servers; nothing is lost or doubled by it.

A test has the name of the procedure's anchor, and runs all of its steps; the page has no step that no test runs.
"""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from harness.agreement import check_kafka, check_last_records, check_no_second_twice, check_published, wait_settled
from harness.catalog import CATALOG, DAY_MS, MINUTE_MS, NOW_MS, local_ms
from harness.daemon import ROOT, SESSION_KEY, Minuted, run_minuted
from harness.kafka_broker import KafkaBroker, kafka_jars
from harness.model import Model
from harness.player import Player, accepted, rejected, run, watch
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, Merged, consumer, partitions_of, read_topics
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.runbook import PAGE, Machine, Procedure, procedures
from harness.service import PATIENCE_S, free_port, wait_until

HOUR_MS = 60 * MINUTE_MS
GRACE_PASSED_MS = 5 * MINUTE_MS
LESSONS = ("open-1", "open-2", "open-3")
CHANGES = {"heartbeats": {"horizon": "2h"}, "redis": {"partitions": 2}}


class Installed(Minuted):
    """Its configuration is the operator's: written once, as a person would, and then changed by the runbook alone."""

    def write_config(self):
        if not self.config_path.exists():
            super().write_config()
            text = re.sub(r"session_key_file:\n *- .*", "session_key_file: [session.key]", self.config_path.read_text())
            assert "[session.key]" in text
            self.config_path.write_text(text)
        return self.config_path

    def terminate(self, seconds=PATIENCE_S):
        """A clock that was moved stands where it was after a restart, too."""
        self.stopped_ms = self.now_ms() if self.dev and self.running() else None
        return super().terminate(seconds)

    def start(self, now_ms=None):
        return super().start(now_ms or getattr(self, "stopped_ms", None))


class World:
    """A deployment: one Redis, daemons, machines, and the model of what was accepted."""

    def __init__(self, tmp_path, catalog, services, redis, kafka):
        self.tmp_path, self.catalog, self.services, self.redis, self.kafka = tmp_path, catalog, services, redis, kafka
        self.model, self.machines, self.work = Model(), [], tmp_path / "work"
        self.work.mkdir()

    def machine(self, name="one", changes=None, dev=True, redis=None):
        """One with a daemon, which is not started."""
        brokers = self.kafka.brokers if self.kafka else "embedded"
        daemon = Installed(self.tmp_path / name, self.catalog, (redis or self.redis).address, brokers, dev, changes or CHANGES)
        self.services.append(daemon)
        machine = Machine(self.tmp_path / f"machine-{name}", {"minuted": daemon, "redis-server": redis or self.redis}, dev)
        machine.daemon = daemon
        daemon.write_config()
        self.machines.append(machine)
        return machine

    def values(self, machine, more=None):
        return {"CONFIG": machine.daemon.config_path, "ADMIN": f"127.0.0.1:{machine.daemon.admin_port}",
                "REDIS_PORT": self.redis.port, "REDIS_DATA": self.redis.directory, "BACKUP": self.tmp_path / "backup",
                "BROKERS": self.kafka.brokers if self.kafka else "", "WORK": self.work, **(more or {})}

    def close(self):
        for machine in self.machines:
            machine.close()
            if machine.daemon.running():
                machine.daemon.stop()


@pytest.fixture
def world(tmp_path, catalog, services, redis, kafka):
    made = World(tmp_path, catalog, services, redis, kafka)
    yield made
    made.close()


@pytest.fixture
def procedure(request):
    """The one that the test is named after; its steps have been run when the test ends."""
    made = Procedure(request.node.name.removeprefix("test_").replace("_", "-"))
    yield made
    made.end()


def watch_all(daemon, model, learners=range(8)):
    for i in learners:
        watch(daemon, model, f"teacher-{i}", LESSONS[i % 3], 70 + i)


def publish(daemon, redis):
    daemon.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)


def published_world(world):
    """One daemon that has published for some hours, and retired what is old."""
    machine = world.machine()
    daemon = machine.daemon.start(NOW_MS)
    watch_all(daemon, world.model)
    publish(daemon, world.redis)
    daemon.advance(5 * HOUR_MS)
    watch_all(daemon, world.model, range(3, 11))
    publish(daemon, world.redis)
    wait_until(lambda: daemon.metric("minuted_final_through_timestamp_seconds") * 1000 > NOW_MS + HOUR_MS, "it retires")
    return machine


def floor_of(client):
    """The first minute that no partition has closed."""
    return max(int(client.get(key)) for key in client.scan_iter(match="minuted:*:floor"))


def check_all(world, daemon, client=None):
    """Redis and Kafka hold what was accepted, to the second; Redis its masks only from the floor on."""
    client, model = client or world.redis.client, world.model
    daemon.advance(GRACE_PASSED_MS)
    wait_settled(client)
    truth = Truth(client)
    floor = floor_of(client) * 60  # as high as while that was read
    assert truth.totals == model.totals() and truth.covered == model.covered()
    assert {k: v for k, v in truth.minutes.items() if k[2] >= floor} == \
        {k: v for k, v in model.minutes().items() if k[2] >= floor}
    check_no_second_twice(truth.minutes)
    merged = Merged(read_topics(world.kafka.brokers))
    check_kafka(model, merged)
    check_last_records(model, merged)
    last = {(r.value["lesson_id"], r.value["minute_start"]): (r.value["watched_seconds"], r.value["learners"])
            for r in merged.of_last(LESSON_MINUTES)}
    assert last == model.lesson_minutes()


def go_through(anchor, machine, values):
    """A procedure that others refer to."""
    made = Procedure(anchor)
    for step in made.steps:
        made.run(step.name, machine, values)
    made.end()


def back_up(machine, values):
    shutil.rmtree(values["BACKUP"], ignore_errors=True)
    go_through("back-up-redis", machine, values)


def check_ledger(machine, values):
    go_through("check-that-nothing-is-lost-or-doubled", machine, values)


# --- the page ------------------------------------------------------------------------------------

def tests():
    return {name.removeprefix("test_").replace("_", "-") for name, test in globals().items()
            if name.startswith("test_") and "procedure" in test.__code__.co_varnames}


def test_every_procedure_has_its_test_and_every_step_a_name():
    with_steps = {anchor for anchor, steps in procedures().items() if steps}
    assert with_steps == tests() | {"back-up-redis", "check-that-nothing-is-lost-or-doubled"}
    for anchor in with_steps:
        names = [step.name for step in procedures()[anchor]]
        assert all(names) and len(set(names)) == len(names), f"{anchor}: {names}"


def test_links_lead_somewhere():
    """The page's own ones, and those of the alerts."""
    anchors = procedures().keys()
    text = PAGE.read_text()
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", text)} <= anchors
    alerts = {}
    for group in yaml.safe_load((ROOT / "config" / "prometheus" / "minuted.rules.yml").read_text())["groups"]:
        alerts |= {rule["alert"]: rule["annotations"].get("runbook_url") for rule in group["rules"]}
    named = set(re.findall(r"`(Minuted\w+)`", text))
    assert named <= alerts.keys()
    linked = {alert: url.partition("#") for alert, url in alerts.items() if url}
    assert all(page.endswith("config/RUNBOOK.md") and anchor in anchors for page, _, anchor in linked.values()), linked
    first_table = set(re.findall(r"`(Minuted\w+)`", text.partition("## Before you begin")[0]))
    assert linked.keys() == first_table, "the alerts of the page's first table are those that link here"


def test_every_variable_is_explained():
    text = PAGE.read_text()
    explained = set(re.findall(r"`([A-Z_]+)`", text))
    used = {name for steps in procedures().values() for step in steps
            for name in re.findall(r"\$\{?([A-Z_]+)\b", step.commands)}
    assert used <= explained


# --- Redis ---------------------------------------------------------------------------------------

def test_redis_came_back_empty(procedure, world):
    machine = published_world(world)
    values = world.values(machine)
    player = Player(machine.daemon, "teacher-1")
    session = player.open("open-1")
    machine.daemon.advance(20_000)
    assert player.send(session, run(0, 9_000)) == [accepted(9)], "which the page says are lost for certain"
    world.redis.kill()
    shutil.rmtree(world.redis.directory / "appendonlydir")
    world.redis.start()
    procedure.run("see", machine, values, until="it is seen")
    assert floor_of(world.redis.client) > NOW_MS // 60_000, "nothing that was final is claimed again"
    watch_all(machine.daemon, world.model, range(6, 14))
    procedure.run("rebuild", machine, values)
    procedure.run("over", machine, values, until="it is over")
    check_all(world, machine.daemon)
    check_ledger(machine, values)


def test_redis_is_older_than_kafka(procedure, world):
    machine = published_world(world)
    values = world.values(machine)
    back_up(machine, values)
    watch_all(machine.daemon, world.model)
    publish(machine.daemon, world.redis)
    procedure.run("restore", machine, values)
    assert Truth(world.redis.client).totals != world.model.totals()
    procedure.run("see", machine, values, until="it is seen")
    watch_all(machine.daemon, world.model, range(4, 12))
    procedure.run("rebuild", machine, values)
    procedure.run("over", machine, values, until="it is over")
    check_all(world, machine.daemon)
    check_ledger(machine, values)


def test_redis_is_another_one(procedure, world):
    """Here it is what the page warns of: a backup from before the last rebuild."""
    machine = published_world(world)
    values = world.values(machine)
    daemon, redis = machine.daemon, world.redis
    back_up(machine, values)
    redis.client.flushall()
    go_on = Procedure("redis-came-back-empty")
    for name in ("see", "rebuild", "over"):
        go_on.run(name, machine, values, until=name)
    watch_all(daemon, world.model)
    publish(daemon, redis)
    redis.kill()
    shutil.rmtree(redis.directory / "appendonlydir")
    shutil.copytree(values["BACKUP"], redis.directory / "appendonlydir")
    redis.start()
    procedure.run("see", machine, values, until="it is seen")
    procedure.run("set-aside", machine, values)
    procedure.run("rebuild", machine, values, until="it is rebuilt")
    procedure.run("over", machine, values, until="it is over")
    check_all(world, daemon)
    check_ledger(machine, values)


@pytest.fixture
def cluster(tmp_path, services):
    """Two servers, of which one has all slots; the other is not in the cluster yet."""
    made = [RedisServer(tmp_path / f"redis-{i}", **{"cluster-enabled": "yes", "cluster-port": free_port()}) for i in range(2)]
    for server in made:
        services.append(server)
        server.start()
    made[0].client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: b"cluster_state:ok" in made[0].client.execute_command("CLUSTER", "INFO") or
               made[0].client.cluster("info")["cluster_state"] == "ok", "it is a cluster")
    return made


class BothServers:
    """The keys of a cluster, for the oracle."""

    def __init__(self, servers):
        self.clients = [server.client for server in servers]

    def scan_iter(self, **arguments):
        for client in self.clients:
            for key in client.scan_iter(**arguments):
                self.asked = client
                yield key

    def hgetall(self, key):
        return self.asked.hgetall(key)

    def get(self, key):
        return self.asked.get(key)


def test_move_slots_of_a_redis_cluster(procedure, tmp_path, catalog, services, kafka, cluster):
    world = World(tmp_path, catalog, services, cluster[0], kafka)
    machine = world.machine(changes={"heartbeats": {"horizon": "2h"}, "redis": {"partitions": 4}})
    daemon = machine.daemon.start(NOW_MS)
    values = world.values(machine, {"NODE": cluster[0].address, "NEW_NODE": cluster[1].address})
    watch_all(daemon, world.model, range(20))
    daemon.advance(GRACE_PASSED_MS)
    back_up(machine, values)
    procedure.run("add", machine, values)
    wait_until(lambda: procedure.run("agree", machine, values, until="all agree").endswith("\n2\n"), "both say that it is up")
    with ThreadPoolExecutor(1) as executor:
        moving = executor.submit(procedure.run, "move", machine, values)
        while not moving.done():
            watch_all(daemon, world.model, range(5, 25))
        moving.result()
    procedure.run("fix", machine, values)
    procedure.run("over", machine, values, until="it is over")
    watch_all(daemon, world.model, range(10))
    keys = [len(server.client.keys("minuted:{*}:t:*")) for server in cluster]
    assert all(keys), keys
    check_all(world, daemon, BothServers(cluster))
    assert daemon.metric("minuted_lost_partitions") == 0 and daemon.metric("minuted_redis_history_losses_total") == 0
    check_ledger(machine, values)
    world.close()


# --- Kafka ---------------------------------------------------------------------------------------

def published_within_the_horizon(world, *machines):
    daemon = machines[0].daemon
    for machine in machines:
        machine.daemon.start(NOW_MS)
    watch_all(daemon, world.model)
    for machine in machines:
        machine.daemon.advance(GRACE_PASSED_MS)
    wait_settled(world.redis.client)
    return daemon


def test_kafka_lost_what_it_had(procedure, world, kafka):
    machine = world.machine()
    values = world.values(machine)
    daemon = published_within_the_horizon(world, machine)
    kafka.delete_topics()
    procedure.run("create-topics", machine, values)
    procedure.run("restart", machine, values)
    procedure.run("see", machine, values, until="it is seen")
    watch_all(daemon, world.model, range(4, 9))
    procedure.run("republish", machine, values)
    procedure.run("over", machine, values, until="it is over")
    daemon.advance(GRACE_PASSED_MS)
    check_published(world.model, world.redis.client, kafka.brokers)
    check_ledger(machine, values)


class NewKafka(KafkaBroker):
    name = "new-kafka"
    cluster_id = "YW5vdGhlci1jbHVzdGVyMg"


def test_move_to_another_kafka(procedure, world, kafka, tmp_path):
    new_kafka = NewKafka(tmp_path / "new-kafka", kafka_jars())
    world.services.append(new_kafka)
    new_kafka.format().start()
    first, last = machines = [world.machine(name) for name in ("first", "last")]
    published_within_the_horizon(world, *machines)
    before = len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES)))

    def values(machine):
        return world.values(machine, {"NEW_BROKERS": new_kafka.brokers})
    procedure.run("configure", first, values(first))
    procedure.run("create-topics", first, values(first))
    procedure.run("move", first, values(first))
    procedure.run("left", last, values(last), until="it stands by")
    procedure.run("configure", last, values(last))
    for i, machine in enumerate(machines):
        watch_all(machine.daemon, world.model, range(4 * i, 4 * i + 4))
    for machine in machines:
        machine.daemon.advance(GRACE_PASSED_MS)
    check_published(world.model, world.redis.client, new_kafka.brokers)
    assert len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES))) == before
    check_ledger(first, {**values(first), "BROKERS": new_kafka.brokers})


# --- clocks --------------------------------------------------------------------------------------

def test_a_wrong_clock_closed_minutes(procedure, world):
    """Without --dev, whose clock could be moved at will, so that no floor is a wrong one."""
    machine = world.machine(changes={**CHANGES, "publish": {"running_minutes": "1s"}}, dev=False)
    values, daemon, client, model = world.values(machine), machine.daemon, world.redis.client, world.model
    daemon.start()

    def now_ms():
        seconds, microseconds = client.time()
        return seconds * 1000 + microseconds // 1000
    daemon.now_ms = now_ms
    sessions = [(player, player.open("open-1")) for player in (Player(daemon, f"teacher-{i}") for i in range(6))]
    wait_until(lambda: now_ms() > sessions[-1][1].anchor_ms + 3500, "they have watched")
    for player, session in sessions:
        credited = model.claim(session.name, "open-1", session.anchor_ms, run(0, 3000))
        assert player.send(session, run(0, 3000)) == [accepted(*credited)]
    wait_until(lambda: Merged(read_topics(world.kafka.brokers)).lesson_minutes == model.lesson_minutes(), "it is published")
    floor = now_ms() // 60_000 // 10 * 10 + 360
    for key in client.keys("minuted:*:epoch"):  # what a daemon does whose clock is hours ahead
        prefix = key[:-len(b"epoch")].decode()
        client.set(f"{prefix}floor", floor)
        for old in client.keys(f"{prefix}w:*") + client.keys(f"{prefix}l:*"):
            client.delete(old)
    for name in ("clock", "see", "lower", "over"):
        procedure.run(name, machine, values, until=name)
    for player, session in sessions:
        assert player.send(session, run(0, 3000)) == [accepted(0, duplicate=3)]
    truth = Truth(client)
    assert truth.totals == model.totals() and truth.minutes == model.minutes()
    assert dict(truth.lesson_minutes) == model.lesson_minutes()
    check_ledger(machine, values)


# --- keys ----------------------------------------------------------------------------------------

def test_rotate_the_session_keys(procedure, world):
    """Each daemon takes the sessions of the other one at every moment."""
    machines = [world.machine(name) for name in ("first", "second")]
    keys = world.tmp_path / "keys"
    keys.mkdir()
    for machine in machines:
        machine.daemon.start(NOW_MS)
    daemons = [machine.daemon for machine in machines]
    sessions = []

    def watch_everywhere():
        """Sessions that either daemon opens are credited by both."""
        for daemon in daemons:
            player = Player(daemon, f"teacher-{len(sessions)}")
            sessions.append((player.open("open-1"), player.learner))
            for each in daemons:
                each.advance(10_000)
        for session, learner in sessions:
            for daemon in daemons:
                answer = Player(daemon, learner).send(session, run(0, 9_000))
                credited = world.model.claim(session.name, "open-1", session.anchor_ms, run(0, 9_000))
                assert answer == [accepted(*credited)], answer

    def values(machine):
        return world.values(machine, {"KEYS": machine.daemon.directory})
    (keys / "session.key").write_bytes(SESSION_KEY)
    procedure.run("make", machines[0], values(machines[0]))
    shutil.copy(machines[0].daemon.directory / "session-2.key", machines[1].daemon.directory)
    watch_everywhere()
    for name in ("append", "front"):
        for machine in machines:
            procedure.run(name, machine, values(machine))
            watch_everywhere()
    assert len({session.token.split(".")[1] for session, _ in sessions}) == 2, "the new key signs now"
    first, learner = sessions[0]
    for daemon in daemons:
        daemon.advance(6 * HOUR_MS)
    sessions.clear()
    for machine in machines:
        procedure.run("remove", machine, values(machine))
        watch_everywhere()
    assert Player(daemons[0], learner).post(first.heartbeat(run(0, 1000))).status == 410, "it has long expired"
    for daemon in daemons:
        daemon.advance(GRACE_PASSED_MS)
        assert daemon.metric("minuted_runs_refused_total", '{reason="token_unknown"}') == 0
    wait_settled(world.redis.client)
    assert Truth(world.redis.client).totals == world.model.totals()


# --- learners and programs -----------------------------------------------------------------------

def everything_in(brokers, topics):
    """(topic, partition, key, value) of every record, tombstones too."""
    reader, found = consumer(brokers), []
    places = partitions_of(reader, topics)
    reader.assign(places)
    ended = 0
    while ended < len(places):
        message = reader.poll(PATIENCE_S)
        if message.error():
            ended += 1
        else:
            found.append((message.topic(), message.partition(), message.key().decode(), message.value()))
    reader.close()
    return found


@pytest.mark.parametrize("learner", ["teacher-5", "王 老师/5 (*)[x]'\"$HOME\\E"])
def test_erase_a_learner(world, learner):
    procedure = Procedure("erase-a-learner")
    machine = published_world(world)
    daemon, redis, kafka, model = machine.daemon, world.redis, world.kafka, world.model
    for other in (learner, f"{learner}0", f"x/{learner}"):  # whose ids only resemble
        watch(daemon, model, other, "open-2", 30)
    for lesson in ("open-1", "open-3"):
        watch(daemon, model, learner, lesson, 40)
    publish(daemon, redis)
    check_all(world, daemon)
    minutes = {key for key in model.minutes() if key[0] == f"higher/{learner}"}
    lessons = {key for key in model.totals() if key[0] == f"higher/{learner}"}
    daemon.advance(6 * HOUR_MS)
    watch(daemon, model, "teacher-0")
    publish(daemon, redis)
    values = world.values(machine, {"PORTAL": "higher", "LEARNER": learner, "TOPICS": "minuted"})
    for step in procedure.steps:
        procedure.run(step.name, machine, values)
    procedure.end()
    assert not [key for key in redis.client.keys("minuted:*") if key.decode().endswith(f":t:higher/{learner}")]
    records = everything_in(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES))
    places, last = {}, {}
    for topic, partition, key, value in records:
        assert places.setdefault((topic, key), partition) == partition, "a tombstone lies where its records are"
        last[topic, key] = value
    gone = {key for key, value in last.items() if value is None}
    assert gone == {(LEARNER_LESSONS, f"integration/higher/{lesson}/{learner}") for _, lesson in lessons} | {
        (LEARNER_MINUTES, f"{minute}/integration/higher/{lesson}/{learner}") for _, lesson, minute in minutes}
    del model.owner[f"higher/{learner}"]
    check_totals(world)
    # Nothing brings the learner back.
    code, output = run_minuted("--config", daemon.config_path, "--dev", "--republish")
    assert code == 0, output
    redis.client.flushall()
    wait_until(lambda: daemon.metric("minuted_lost_partitions") == 2, "it is seen")
    code, output = run_minuted("--config", daemon.config_path, "--dev", "--rebuild")
    assert code == 0, output
    check_totals(world)
    last = {(topic, key): value for topic, _, key, value in everything_in(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES))}
    assert gone == {key for key, value in last.items() if value is None}


def check_totals(world):
    assert Truth(world.redis.client).totals == world.model.totals()


def test_begin_the_next_program(procedure, world):
    """The catalog's days: the old program's last one is 2023-01-20."""
    def catalog_of(program, days=""):
        path = world.tmp_path / f"{program}.yaml"
        path.write_text(CATALOG.partition("courses:")[0].replace("program: integration", f"program: {program}") +
                        f"courses:\n  - {{id: {program}-course, {days}hours: 1, lessons: [{{id: {program}-1}}]}}\n")
        return path
    world.catalog = catalog_of("winter", "closes: 2023-01-20, ")
    machine = world.machine()
    daemon, redis = machine.daemon.start(local_ms(2023, 1, 21) - 20 * MINUTE_MS), world.redis
    new_config = daemon.directory / "spring.yaml"
    new_config.write_text(daemon.config_path.read_text().replace(str(world.catalog), str(catalog_of("spring"))))
    values = world.values(machine, {"NEW_CONFIG": new_config})
    _, session = watch(daemon, world.model, "teacher-1", "winter-1")
    publish(daemon, redis)
    check_published(world.model, redis.client, world.kafka.brokers)
    procedure.run("see", machine, values)
    code, output = procedure.execute(procedure.steps[1], machine, values)
    assert code == 1 and "the last day of the program winter ends at" in output and daemon.is_ready(), output
    daemon.advance(4 * HOUR_MS)
    wait_until(lambda: daemon.metric("minuted_final_through_timestamp_seconds") * 1000 >= local_ms(2023, 1, 21), "it is final")
    procedure.run("begin", machine, values)
    procedure.run("start", machine, values)
    procedure.run("over", machine, values, until="it is over")
    assert redis.client.hget("minuted:settings", "program") == b"spring"
    assert Player(daemon, "teacher-1").send(session, run(0, 1000)) == [rejected("lesson_closed")]
    new = Model()
    watch(daemon, new, "teacher-1", "spring-1", 30)
    publish(daemon, redis)
    assert Truth(redis.client).totals == new.totals()
    totals = {(r.value["program"], r.value["lesson_id"]): r.value["watched_seconds"]
              for r in read_topics(world.kafka.brokers, (LEARNER_LESSONS,))}
    assert totals == {("winter", "winter-1"): 90, ("spring", "spring-1"): 30}
    check_ledger(machine, values)
