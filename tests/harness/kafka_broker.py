"""A real Apache Kafka: one KRaft node, and the client calls that tests need."""

import subprocess
from pathlib import Path

from confluent_kafka.admin import AdminClient, ConfigResource

from .service import PATIENCE_S, Service, free_port, wait_until

TOPICS = ("minuted.learner-lessons", "minuted.learner-minutes", "minuted.lesson-minutes", "minuted.watermarks")

# Records are as old as the minutes that they tell of, and the tests play in 2023: nothing may be cleaned up. A broker
# that was killed is let in again when its last session has run out.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{advertised_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
log.retention.check.interval.ms=86400000
log.initial.task.delay.ms=86400000
log.cleaner.backoff.ms=86400000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
"""

JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


class KafkaBroker(Service):
    name = "kafka"
    cluster_id = "bWludXRlZC10ZXN0cy0wMQ"
    more_properties = ""

    def __init__(self, directory, jars):
        super().__init__(directory)
        self.port, self.controller_port, self.proxied_port = free_port(), free_port(), free_port()
        self.advertised_port = self.proxied_port
        self.format_arguments = []
        self.java = [*JAVA, "-cp", f"{jars}/*"]
        self.properties = self.directory / "server.properties"
        self.admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    def behind(self, proxies, latency=0.0):
        """Advertises a proxy to those who come through it; before format(). Gives back the proxy."""
        proxy = proxies.proxy(self.proxied_port, latency)
        self.advertised_port = proxy.port
        return proxy

    def format(self):
        self.properties.write_text(PROPERTIES.format(
            port=self.port, controller_port=self.controller_port, proxied_port=self.proxied_port,
            advertised_port=self.advertised_port, directory=self.directory) + self.more_properties)
        subprocess.run([*self.java, "kafka.tools.StorageTool", "format", "-t", self.cluster_id,
                        "-c", str(self.properties), *self.format_arguments], check=True, capture_output=True)
        return self

    def launch(self):
        """Starts it without waiting."""
        self.spawn([*self.java, "kafka.Kafka", self.properties])
        return self

    def start(self):
        self.launch()
        self.wait_ready(lambda: self.admin.list_topics(timeout=10))
        return self

    def topic_names(self):
        return set(self.admin.list_topics(timeout=PATIENCE_S).topics)

    def delete_topics(self):
        """Deletes minuted's topics and waits until the broker has forgotten them."""
        names = [t for t in TOPICS if t in self.topic_names()]
        if names:
            for future in self.admin.delete_topics(names, operation_timeout=PATIENCE_S).values():
                future.result()
            wait_until(lambda: not self.topic_names().intersection(TOPICS), "topics are deleted")
        return self

    def topic_settings(self, topic):
        """name -> value; the broker may learn of a new topic a moment after it was made."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

        def ask():
            return list(self.admin.describe_configs([resource]).values())[0].result()
        return {name: entry.value for name, entry in wait_until(ask, f"settings of {topic}").items()}

    def partitions(self, topic):
        return len(self.admin.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)


def kafka_jars():
    fetch = Path(__file__).parents[1] / "kafka" / "fetch"
    return subprocess.run([fetch], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
