"""A Kafka that asks who is there: logins, TLS, ACLs of which no more are given than is documented, and what goes wrong with each."""

import re

import confluent_kafka
import pytest

from harness.agreement import check_published
from harness.catalog import NOW_MS
from harness.daemon import ROOT, run_minuted
from harness.kafka_broker import kafka_jars
from harness.kafka_secured import PASSWORD, SecuredKafka
from harness.ledger import run_ledger
from harness.model import Model
from harness.player import Player, accepted, run
from harness.service import wait_until

# Where both are Debian's, the tests' client and the daemon use one library.
OLD_SCRAM = confluent_kafka.libversion()[1] < 0x02060100


def documented(heading):
    """The ACLs below a line of config/minuted.yaml, each as "Write Topic minuted.*"."""
    text = (ROOT / "config/minuted.yaml").read_text()
    block = re.search(rf"{re.escape(heading)}[^\n]*\n((?:  #     \w+ on \w+ \S+\n)+)", text)[1]
    return [line.split("#")[1].replace(" on ", " ").strip() for line in block.splitlines()]


DAEMON = documented("the daemons' user needs no more than these")
TOPICS_MADE = documented("--create-topics needs besides")
WAYS_BACK = documented("--rebuild and --lower-floor need besides")
READER = documented("minuted-ledger, as another user")


@pytest.fixture(scope="module")
def broker(tmp_path_factory, shared_services):
    broker = SecuredKafka(tmp_path_factory.mktemp("secured"), kafka_jars())
    shared_services.append(broker)
    return broker.format().start()


@pytest.fixture
def secured(broker):
    """Without minuted's topics, and nobody is allowed anything."""
    broker.forbid_all()
    return broker.delete_topics()


@pytest.fixture
def with_topics(secured, new_minuted):
    """Whoever made the topics is not the daemon, as elsewhere."""
    create_topics(new_minuted(brokers=secured.brokers, name="create-topics"))
    return secured


def create_topics(maker, expected=0):
    code, output = run_minuted("--config", maker.write_config(), "--create-topics")
    assert code == expected, output
    return output


def daemon_of(new_minuted, redis, login, **more):
    brokers, properties = login
    changes = {"kafka": {"properties": properties}, "publish": {"running_minutes": "1s"}}
    return new_minuted(redis, brokers, changes=changes, **more)


def watch(minuted, learner="teacher-1"):
    model = Model()
    session = (player := Player(minuted, learner)).open("open-1")
    minuted.advance(20_000)
    credited = model.claim(session.name, "open-1", session.anchor_ms, run(0, 15_000))
    assert player.send(session, run(0, 15_000)) == [accepted(*credited)]
    return model


def told(minuted, *words):
    """The publisher's line says all of it, and so does the log."""
    def says():
        line = next(line for line in minuted.readyz()[1].splitlines() if "publisher:" in line)
        return all(word in line for word in words)
    wait_until(says, f"{words} is told")
    assert any(all(word in line for word in words) for line in minuted.log_text().splitlines())
    assert minuted.is_ready(), "Kafka never makes the daemon unready"


def publishes(minuted):
    wait_until(lambda: "publisher: publishing" in minuted.readyz()[1], "it publishes")


def properties_of(login):
    return ["--brokers", login[0], *(f"--property={name}={value}" for name, value in login[1].items())]


# --- who is there -------------------------------------------------------------------------------

def scram(mechanism):
    return pytest.param(lambda k: k.encrypted_login(mechanism=mechanism), "minuted", id=mechanism, marks=pytest.mark.skipif(
        OLD_SCRAM, reason="librdkafka before 2.6.1 cannot"))


@pytest.mark.parametrize("login, user", [
    pytest.param(lambda k: k.login(), "minuted", id="PLAIN"),
    pytest.param(lambda k: k.encrypted_login(), "minuted", id="PLAIN-TLS"),
    pytest.param(lambda k: k.certificate_login(), "CN=minuted", id="certificate"),
    scram("SCRAM-SHA-256"), scram("SCRAM-SHA-512")])
def test_a_login_and_the_documented_acls_are_enough(secured, new_minuted, redis, tmp_path, login, user):
    minuted = daemon_of(new_minuted, redis, login(secured))
    secured.allow(*TOPICS_MADE, user=user)
    assert create_topics(minuted).count("created") == 4
    secured.forbid(*TOPICS_MADE, user=user)
    secured.allow(*DAEMON, user=user)
    minuted.start(NOW_MS)
    check_published(watch(minuted), redis.client, secured.brokers)
    secured.allow(*READER, user="ledger")
    code, output, errors = run_ledger("follow", "--db", tmp_path / "ledger.db", "--until-idle", "0.3",
                                      *properties_of(secured.login(user="ledger")))
    assert code == 0 and "15 seconds of 1 learners" in output, output + errors
    assert PASSWORD not in minuted.log_text() + minuted.readyz()[1] + errors


def test_a_password_from_a_file(with_topics, new_minuted, redis):
    brokers, properties = with_topics.login()
    del properties["sasl.password"]
    minuted = daemon_of(new_minuted, redis, (brokers, {**properties, "sasl.password_file": "kafka.password"}))
    minuted.file("kafka.password", PASSWORD + "\n")
    with_topics.allow(*DAEMON)
    check_published(watch(minuted.start(NOW_MS)), redis.client, with_topics.brokers)


def test_a_wrong_password_is_told(with_topics, new_minuted, redis, tmp_path):
    with_topics.allow(*DAEMON, *TOPICS_MADE)
    login = with_topics.login(password="battery-staple")
    minuted = daemon_of(new_minuted, redis, login)
    words = ("Kafka refuses the login", "Invalid username or password")
    assert all(word in create_topics(minuted, expected=1) for word in words)
    code, _, errors = run_ledger("follow", "--db", tmp_path / "ledger.db", *properties_of(login))
    assert code == 1 and all(word in errors for word in words), errors
    told(minuted.start(NOW_MS), *words)
    assert "battery-staple" not in minuted.log_text() + errors


@pytest.mark.skipif(not OLD_SCRAM, reason="librdkafka from 2.6.1 on can")
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_is_refused_where_the_library_cannot(new_minuted, mechanism):
    properties = {"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.username": "minuted",
                  "sasl.password": PASSWORD}
    minuted = new_minuted(brokers="127.0.0.1:1", changes={"kafka": {"properties": properties}})
    code, output = run_minuted("--config", minuted.write_config(), "--check-config")
    assert code == 1 and "kafka.properties.sasl.mechanism" in output and "2.6.1" in output and PASSWORD not in output, output


# --- TLS ----------------------------------------------------------------------------------------

def without(login, *names):
    return login[0], {name: value for name, value in login[1].items() if name not in names}


@pytest.mark.parametrize("login, words", [
    pytest.param(lambda k: k.encrypted_login(ca="other-ca"), ["TLS to Kafka fails", "certificate verify failed"], id="CA"),
    pytest.param(lambda k: (k.encrypted_login()[0].replace("127.0.0.1", "localhost"), k.encrypted_login()[1]),
                 ["TLS to Kafka fails", "certificate verify failed"], id="name"),
    pytest.param(lambda k: (k.login()[0], k.encrypted_login()[1]), ["TLS to Kafka fails"], id="no TLS there"),
    pytest.param(lambda k: (k.encrypted_login()[0], k.login()[1]), ["incorrect security.protocol"], id="no TLS here"),
    pytest.param(lambda k: without(k.certificate_login(), "ssl.certificate.location", "ssl.key.location"),
                 ["bad certificate"], id="no certificate")])
def test_tls_that_does_not_come_about_is_told(with_topics, new_minuted, redis, login, words):
    told(daemon_of(new_minuted, redis, login(with_topics)).start(NOW_MS), *words)


# --- ACLs ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("rule", DAEMON)
def test_an_acl_that_is_missing_is_named_and_heals(with_topics, new_minuted, redis, rule):
    with_topics.allow(*(other for other in DAEMON if other != rule))
    operation, kind, name = rule.split()
    minuted = daemon_of(new_minuted, redis, with_topics.login()).start(NOW_MS)
    told(minuted, "Kafka's ACLs do not allow", operation, f"on {kind} {name.rstrip('*')}")
    with_topics.allow(rule)
    check_published(watch(minuted), redis.client, with_topics.brokers)


def test_a_topic_that_may_be_seen_and_not_written(with_topics, new_minuted, redis):
    rules = [rule for rule in DAEMON if rule != "Write Topic minuted.*"]
    with_topics.allow(*rules, "Describe Topic minuted.*")
    minuted = daemon_of(new_minuted, redis, with_topics.login()).start(NOW_MS)
    model = watch(minuted)
    told(minuted, "Kafka's ACLs do not allow Write on Topic minuted.")
    with_topics.allow("Write Topic minuted.*")
    check_published(model, redis.client, with_topics.brokers)


def test_an_acl_that_is_taken_back_is_told(with_topics, new_minuted, redis):
    with_topics.allow(*DAEMON)
    minuted = daemon_of(new_minuted, redis, with_topics.login()).start(NOW_MS)
    check_published(watch(minuted), redis.client, with_topics.brokers)
    with_topics.forbid("Write TransactionalId minuted/*")
    watch(minuted, "teacher-2")
    told(minuted, "Kafka's ACLs do not allow Write on TransactionalId minuted/integration/")
    with_topics.allow("Write TransactionalId minuted/*")
    publishes(minuted)


def test_topics_that_may_not_be_made(secured, new_minuted):
    minuted = daemon_of(new_minuted, None, secured.login())
    assert "Kafka's ACLs do not allow Create on Topic minuted.learner-lessons" in create_topics(minuted, expected=1)


def test_a_ledger_that_may_not_read(with_topics, tmp_path):
    def follow():
        return run_ledger("follow", "--db", tmp_path / "ledger.db", "--until-idle", "0.3",
                          *properties_of(with_topics.login(user="ledger")))
    code, _, errors = follow()
    assert code == 1 and "operation=Read topic=minuted." in errors, errors
    with_topics.allow("Describe Topic minuted.*", user="ledger")
    code, _, errors = follow()
    assert code == 1 and "operation=Read topic=minuted." in errors, errors
    with_topics.allow(*READER, user="ledger")
    wait_until(lambda: follow()[0] == 0, "it may read")


def test_a_way_back_that_may_not_read(with_topics, new_minuted, redis):
    with_topics.allow(*DAEMON)
    minuted = daemon_of(new_minuted, redis, with_topics.login()).start(NOW_MS)
    check_published(watch(minuted), redis.client, with_topics.brokers)
    minuted.stop()
    for epoch in redis.client.keys("minuted:*:epoch"):
        redis.client.hset(epoch, "lost", "empty")

    def rebuild(password=PASSWORD):
        minuted.change({"kafka": {"properties": {"sasl.password": password}}})
        return run_minuted("--config", minuted.write_config(), "--dev", "--rebuild")
    code, output = rebuild("battery-staple")
    assert code == 1 and "Kafka refuses the login" in output, output
    code, output = rebuild()
    assert code == 1 and "operation=Read topic=minuted.learner-" in output, output
    with_topics.allow("Describe Topic minuted.*")
    code, output = rebuild()
    assert code == 1 and "Kafka's ACLs do not allow Read on Topic minuted.learner-" in output, output
    with_topics.allow(*WAYS_BACK)
    wait_until(lambda: rebuild()[0] == 0, "it may read")
