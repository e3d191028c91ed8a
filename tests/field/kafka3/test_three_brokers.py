"""Three brokers, as Kafka is run elsewhere: topics with three copies, of which two must be there; brokers are killed one by one."""

import pytest

from harness.agreement import check_published
from harness.catalog import NOW_MS
from harness.daemon import run_minuted
from harness.kafka_broker import TOPICS, KafkaBroker, kafka_jars
from harness.model import Model
from harness.player import watch
from harness.service import PATIENCE_S, wait_until

# What comes later in the file prevails.
THREE = """
node.id={node}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
"""


@pytest.fixture
def brokers(tmp_path, services):
    made = [KafkaBroker(tmp_path / f"kafka-{node}", kafka_jars()) for node in (1, 2, 3)]
    voters = ",".join(f"{node}@127.0.0.1:{broker.controller_port}" for node, broker in enumerate(made, 1))
    for node, broker in enumerate(made, 1):
        broker.more_properties = THREE.format(node=node, voters=voters)
        services.append(broker)
        broker.format().launch()
    for broker in made:
        broker.wait_ready(lambda b=broker: len(b.admin.list_topics(timeout=10).brokers) == 3)
    return made


def leaders(broker):
    """Node -> how many partitions of minuted's topics it leads."""
    led = {1: 0, 2: 0, 3: 0}
    for name, topic in broker.admin.list_topics(timeout=PATIENCE_S).topics.items():
        for partition in topic.partitions.values() if name in TOPICS else ():
            led[partition.leader] += 1
    return led


def in_sync(broker):
    return all(len(partition.isrs) == 3 for name, topic in broker.admin.list_topics(timeout=PATIENCE_S).topics.items()
               for partition in topic.partitions.values() if name in TOPICS)


def test_brokers_are_killed_one_by_one(brokers, new_minuted, redis):
    all_of_them = ",".join(broker.brokers for broker in brokers)
    minuted = new_minuted(redis, all_of_them, changes={"publish": {"running_minutes": "1s"}})
    code, output = run_minuted("--config", minuted.write_config(), "--create-topics")
    assert code == 0 and output.count("created") == 4, output
    for topic in TOPICS:
        assert brokers[0].topic_settings(topic)["min.insync.replicas"] == "2"
        found = brokers[0].admin.list_topics(topic, timeout=PATIENCE_S).topics[topic]
        assert all(len(partition.replicas) == 3 for partition in found.partitions.values()), topic
    wait_until(lambda: min(leaders(brokers[0]).values()) > 0, "every broker leads something")
    minuted.start(NOW_MS)
    model = Model()
    watch(minuted, model, "teacher-0", "open-1", 15)
    check_published(model, redis.client, all_of_them)

    # One is killed after the other, each of which leads and coordinates something: publishing goes on.
    for node, broker in enumerate(brokers, 1):
        broker.kill()
        watch(minuted, model, f"teacher-{node}", "open-1", 15)
        check_published(model, redis.client, all_of_them)
        broker.launch()
        wait_until(lambda b=broker: in_sync(b), "all copies are there again")

    # With one left nothing can be published, and nothing is lost.
    for broker in brokers[1:]:
        broker.kill()
    watch(minuted, model, "teacher-9", "open-1", 15)
    minuted.wait_log("event=publish_failed")
    assert minuted.is_ready()
    for broker in brokers[1:]:
        broker.launch()
    check_published(model, redis.client, all_of_them)
    assert minuted.metric("minuted_kafka_lost") == 0 and minuted.metric("minuted_lost_partitions") == 0
