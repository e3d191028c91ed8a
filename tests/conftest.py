"""Fixtures: real servers for each test, and their logs beside every failure.

MINUTED_BUILD names the build folder whose programs are tested; build/release unless told.
"""

import uuid

import pytest

pytest.register_assert_rewrite("harness")  # before the first of its modules is imported, so that failures show values

from harness import guard  # noqa: E402
from harness.catalog import CATALOG, NOW_MS
from harness.daemon import MINUTED, Minuted, run_minuted
from harness.kafka_broker import KafkaBroker, kafka_jars
from harness.player import Player
from harness.records import end_offsets
from harness.redis_server import RedisServer
from harness.service import wait_until

SERVICES = pytest.StashKey()


def pytest_configure():
    """Before xdist starts its workers, so that they end with this process, too."""
    guard.begin()


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not MINUTED.exists():
        pytest.exit(f"{MINUTED} does not exist: build it first, or let tests/run do it", 2)


def pytest_collection_modifyitems(items):
    """A worker takes file after file, so the one that takes several minutes is not begun last."""
    items.sort(key=lambda item: item.path.name != "test_runbook.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for service in (s for node in item.listchain() for s in node.stash.get(SERVICES, [])):
            report.sections.append((f"log of {service.name}, {service.log_path}", service.log_tail()))


def kept_services(node):
    """What NODE's tests start, in order; ended in reverse, and searched for sanitizers' reports."""
    started = node.stash.setdefault(SERVICES, [])
    yield started
    for service in reversed(started):
        service.kill()
    for service in started:
        assert not service.sanitizer_report(), service.sanitizer_report()


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """Every process that a test started has been ended by the test or its fixtures. Those that last for the session ask for
    this one: pytest else ends it before them, if the session's last test does not use them.
    """
    yield

    def none_left():
        left = guard.begin().family()
        assert not left, [guard.command_of(pid) for pid in left]
        return True
    wait_until(none_left, "every process of the tests has ended", 20)


class Daemons:
    """Makes daemons that keep their files under DIRECTORY; stop() drains those that still run."""

    def __init__(self, directory, catalog, services):
        self.directory, self.catalog, self.services, self.made = directory, catalog, services, []

    def __call__(self, redis=None, brokers="embedded", name="minuted", changes=None, dev=True):
        address = redis.address if redis is not None else "127.0.0.1:1"
        daemon = Minuted(self.directory / name, self.catalog, address, brokers, dev, changes)
        self.made.append(daemon)
        self.services.append(daemon)
        return daemon

    def stop(self):
        for daemon in self.made:
            if daemon.running():
                daemon.stop()


# --- for one test -------------------------------------------------------------------------------

@pytest.fixture
def services(request):
    yield from kept_services(request.node)


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG)
    return path


@pytest.fixture
def redis(tmp_path, services):
    server = RedisServer(tmp_path / "redis")
    services.append(server)
    return server.start()


@pytest.fixture
def new_minuted(tmp_path, catalog, services):
    daemons = Daemons(tmp_path, catalog, services)
    yield daemons
    daemons.stop()


@pytest.fixture
def minuted(new_minuted, redis):
    """A daemon with embedded Kafka, started at NOW_MS."""
    return new_minuted(redis).start(NOW_MS)


@pytest.fixture
def player(minuted):
    return Player(minuted, "teacher-1")


# --- for all tests of a module that only ask, or only move the clock forward ---------------------

@pytest.fixture(scope="module")
def shared_services(request):
    yield from kept_services(request.node)


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory, shared_services):
    server = RedisServer(tmp_path_factory.mktemp("shared") / "redis")
    shared_services.append(server)
    return server.start()


@pytest.fixture(scope="module")
def new_shared(tmp_path_factory, shared_services):
    directory = tmp_path_factory.mktemp("shared")
    catalog = directory / "catalog.yaml"
    catalog.write_text(CATALOG)
    daemons = Daemons(directory, catalog, shared_services)
    yield daemons
    daemons.stop()


@pytest.fixture(scope="module")
def shared(new_shared, shared_redis):
    """One daemon for the module, started at NOW_MS; every test brings learners of its own."""
    return new_shared(shared_redis).start(NOW_MS)


@pytest.fixture
def shared_player(shared):
    return Player(shared, f"teacher-{uuid.uuid4()}")


# --- for all tests of a worker ------------------------------------------------------------------

@pytest.fixture(scope="session")
def session_services(request, nothing_left):
    yield from kept_services(request.session)


# --- Kafka --------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def kafka_session(request, tmp_path_factory, nothing_left):
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"), kafka_jars())
    for services in kept_services(request.session):
        services.append(broker)
        yield broker.format().start()


@pytest.fixture
def kafka_without_topics(kafka_session):
    return kafka_session.delete_topics()


@pytest.fixture
def kafka(kafka_without_topics, new_minuted):
    """Apache Kafka with minuted's topics, fresh."""
    maker = new_minuted(brokers=kafka_without_topics.brokers, name="create-topics")
    code, output = run_minuted("--config", maker.write_config(), "--create-topics")
    assert code == 0, output
    wait_until(lambda: end_offsets(kafka_without_topics.brokers), "every partition has its leader")
    return kafka_without_topics
