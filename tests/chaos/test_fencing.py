"""A transaction that is held up at each of its steps: by a publisher that was stopped and wakes up too late, whom Kafka
itself refuses; by an answer that is lost, a coordinator that is killed, a network that lets nothing through."""

import signal

import pytest

from harness.agreement import check_published
from harness.catalog import NOW_MS
from harness.daemon import run_minuted
from harness.kafka_broker import KafkaBroker, kafka_jars
from harness.kafka_gate import ADD_PARTITIONS, END_TXN, PRODUCE, Gate
from harness.model import Model
from harness.player import Player, accepted, run
from harness.proxy import ProxyThread
from harness.records import end_offsets, read_topics
from harness.redis_truth import is_settled
from harness.service import wait_until

LEASE = "minuted:publisher"


@pytest.fixture(scope="module")
def gate():
    thread = ProxyThread()
    gate = thread.open(Gate, 0)
    yield gate
    gate.release()
    thread.stop()


@pytest.fixture(scope="module")
def gated_kafka(gate, tmp_path_factory, shared_services):
    """A broker whose other way in leads through the gate."""
    broker = KafkaBroker(tmp_path_factory.mktemp("gated") / "kafka", kafka_jars())
    gate.target, broker.advertised_port = broker.proxied_port, gate.port
    shared_services.append(broker)
    return broker.format().start()


class Pair:
    """Two daemons of a deployment: the first publishes, through the gate; players send to the second."""

    def __init__(self, new_minuted, redis, kafka, gate):
        self.redis, self.kafka, self.gate, self.model = redis.client, kafka, gate, Model()
        changes = {"kafka": {"deployment": "pair"}, "publish": {"running_minutes": "1s"}}
        self.first = new_minuted(redis, gate.address, "first", changes).start(NOW_MS)
        wait_until(lambda: self.first.metric("minuted_publish_holds_lease") == 1, "the first holds the lease")
        wait_until(lambda: "event=publishing" in self.first.log_text(), "the first publishes")
        self.second = new_minuted(redis, kafka.brokers, "second", changes).start(NOW_MS)
        self.player = Player(self.second, "teacher-1")
        self.session = self.player.open("open-1")

    def watch(self, from_s, to_s):
        self.second.advance((to_s - from_s) * 1000 + 1000)
        sent = run(from_s * 1000, to_s * 1000)
        credited = self.model.claim(self.session.name, "open-1", self.session.anchor_ms, sent)
        assert self.player.send(self.session, sent) == [accepted(*credited)]

    def stop_first_at(self, step):
        """The first has taken what was watched, and stands before STEP when it is stopped."""
        self.gate.hold(step)
        self.watch(20, 40)
        self.gate.wait_caught()
        self.first.signal(signal.SIGSTOP)

    def let_second_take_over(self):
        self.watch(40, 60)
        wait_until(lambda: is_settled(self.redis), "the second has published all")
        assert self.second.metric("minuted_publish_holds_lease") == 1

    def wake_first(self):
        """What it had sent arrives now; then it goes on as if nothing had been."""
        self.gate.release()
        self.first.signal(signal.SIGCONT)


@pytest.fixture
def pair(new_minuted, redis, gated_kafka, gate):
    broker = gated_kafka.delete_topics()
    maker = new_minuted(brokers=broker.brokers, name="create-topics")
    code, output = run_minuted("--config", maker.write_config(), "--create-topics")
    assert code == 0, output
    wait_until(lambda: end_offsets(broker.brokers), "every partition has its leader")
    pair = Pair(new_minuted, redis, broker, gate)
    yield pair
    pair.wake_first()


def check_refused(pair):
    """The first says that it was fenced, and not one of its last records is visible."""
    wait_until(lambda: pair.first.metric("minuted_publish_fenced_total") == 1, "the first was fenced")
    assert "event=publisher_fenced" in pair.first.log_text()
    assert pair.first.metric("minuted_publish_aborts_total") == 1
    assert pair.first.metric("minuted_publish_holds_lease") == 0
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    pair.watch(60, 70)
    check_published(pair.model, pair.redis, pair.kafka.brokers)


@pytest.mark.parametrize("step", [ADD_PARTITIONS, END_TXN])
def test_a_publisher_that_still_holds_the_lease_by_its_own_clock(pair, step):
    """Only the broker can refuse it."""
    pair.watch(0, 20)
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    pair.stop_first_at(step)
    pair.redis.delete(LEASE)
    pair.let_second_take_over()
    pair.wake_first()
    check_refused(pair)


def test_a_publisher_stopped_beyond_its_lease(pair):
    pair.watch(0, 20)
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    pair.stop_first_at(PRODUCE)
    pair.let_second_take_over()
    pair.wake_first()
    check_refused(pair)

    pair.first.set_clock(pair.second.now_ms())  # its clock stood still with it, and a record's time never falls
    pair.second.stop()
    check_takes_over(pair.first, pair)


def check_takes_over(minuted, pair):
    session = Player(minuted, "teacher-2").open("open-2")
    minuted.advance(5000)
    sent = run(0, 5000)
    pair.model.claim(session.name, "open-2", session.anchor_ms, sent)
    assert Player(minuted, "teacher-2").send(session, sent) == [accepted(5)]
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    assert minuted.metric("minuted_publish_holds_lease") == 1


def test_a_publisher_cut_off_from_kafka_makes_room(pair):
    """It is alive and reaches Redis, so its lease would never end by itself."""
    pair.gate.hold(PRODUCE)
    pair.watch(0, 20)
    pair.gate.wait_caught()
    wait_until(lambda: is_settled(pair.redis), "the second has published all")
    assert pair.second.metric("minuted_publish_holds_lease") == 1
    pair.gate.release()
    check_published(pair.model, pair.redis, pair.kafka.brokers)


def test_a_commit_whose_answer_is_lost(pair):
    before = len(read_topics(pair.kafka.brokers))
    pair.gate.hold(END_TXN)
    pair.watch(0, 20)
    pair.gate.wait_caught()
    pair.gate.lose_answers()
    pair.gate.release()
    wait_until(lambda: len(read_topics(pair.kafka.brokers)) > before, "Kafka has committed, and has answered")
    pair.gate.heal()
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    assert pair.first.metric("minuted_publish_holds_lease") == 1
    assert pair.first.metric("minuted_publish_aborts_total") == 0


def test_the_coordinator_is_killed_in_a_commit(pair):
    """What Kafka knows of the transaction outlives it, and so does the patience of the publisher."""
    pair.gate.hold(END_TXN)
    pair.watch(0, 20)
    pair.gate.wait_caught()
    pair.kafka.kill()
    pair.gate.release()
    pair.kafka.start()
    check_published(pair.model, pair.redis, pair.kafka.brokers)
    assert pair.first.metric("minuted_publish_fenced_total") == 0
    pair.watch(20, 40)
    check_published(pair.model, pair.redis, pair.kafka.brokers)
