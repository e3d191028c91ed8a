"""The servers of a scenario. They are fresh, have ports and folders of their own, and end together with the scenario."""

import re
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml
from harness.redis_server import RedisServer
from harness.service import Service, free_port, wait_until

from . import cores
from .paths import ROOT

CATALOG = ROOT / "config/demo.yaml"
SESSION_KEY = b"the session key of the load's report\n"
SECRET = "the platform's secret of the load's report"
ONE_REDIS = {"redis.partitions": 1}  # as config/minuted.yaml advises where there is one Redis
NOWHERE = "127.0.0.1:1"  # a broker that is never reached
BROKER_JAVA = ["java", "-Xmx1g", "-Xms1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
DURABILITY = {
    "memory": {"appendonly": "no", "save": "", "maxmemory-policy": "noeviction"},
    "fsync": {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"},
}
DURABILITY["replicas"] = DURABILITY["memory"]


def fetch(url, seconds=2):
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return answer.read().decode()


def metric(text, name):
    """The value of a metric without labels, from the text of /metrics."""
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    raise KeyError(name)


class Daemon(Service):
    """A minuted in front of REDIS. CHANGES: key of the configuration -> value, for --set."""

    name = "minuted"

    def __init__(self, directory, build, redis, durability, brokers, changes):
        super().__init__(directory)
        self.port, self.admin_port = free_port(), free_port()
        self.spawned = None  # on the monotonic clock
        self.redis, self.build, self.changes = redis, build, changes
        self.workers = int(changes.get("http.workers", 1))
        self.prefix = cores.prefix("daemon", self.workers)
        self.config = self.directory / "minuted.yaml"
        self.session_key = self.directory / "session.key"
        self.session_key.write_bytes(SESSION_KEY)
        self.config.write_text(yaml.safe_dump({
            "http": {"listen": f"127.0.0.1:{self.port}", "workers": 1},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "auth": {"session_key_file": str(self.session_key),
                     "issuers": [{"issuer": "bench", "portal": "demo", "secret": SECRET}]},
            "redis": {"servers": f"unix:{redis.socket}", "durability": durability},
            "kafka": {"brokers": brokers},
            "catalog": str(CATALOG),
        }, sort_keys=False))

    @property
    def pid(self):
        return self.process.pid

    def options(self):
        """The options with which a program reads this daemon's configuration."""
        return ["--config", self.config, "--dev",
                *(word for key, value in self.changes.items() for word in ("--set", f"{key}={value}"))]

    def create_topics(self):
        subprocess.run([self.build / "minuted", *map(str, self.options()), "--create-topics"], check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

    def start(self):
        self.spawned = time.monotonic()
        self.spawn([self.build / "minuted", *self.options()])
        self.wait_ready(self.is_ready, 30)
        return self

    def is_ready(self):
        """Waits for two connections of each worker besides, which may come a moment after readiness."""
        fetch(f"http://127.0.0.1:{self.admin_port}/readyz")
        return self.log_text().count("event=redis_ready") >= 2 * self.workers

    def metric(self, name):
        return metric(fetch(f"http://127.0.0.1:{self.admin_port}/metrics"), name)


class Peer(Service):
    """One of the servers in bench/peers, in front of REDIS."""

    def __init__(self, directory, name, build, redis):
        super().__init__(directory)
        self.name, self.build, self.redis, self.port = name, build, redis, free_port()
        self.prefix = cores.prefix("daemon")
        self.session_key = self.directory / "session.key"
        self.session_key.write_bytes(SESSION_KEY)

    def _ready_line(self):
        return next((line for line in self.log_text().splitlines() if line.startswith("ready ")), "")

    @property
    def pid(self):
        return int(self._ready_line().split()[1])

    def start(self):
        self.spawn([ROOT / "bench/peers/start", self.name, "--port", self.port, "--redis", f"unix:{self.redis.socket}",
                    "--session-key", self.session_key, "--partitions", ONE_REDIS["redis.partitions"], "--build", self.build,
                    "--dir", self.directory / "files"])
        self.wait_ready(self._ready_line, 90)
        return self


class Servers:
    """Starts what a scenario asks for. At the end of the `with` all of it is ended and its files are removed."""

    def __init__(self, build):
        self.build = build
        self.started = []
        self.commands = []
        self.configurations = []
        (ROOT / "build").mkdir(exist_ok=True)  # a real disk, because the cost of an fsync is measured too
        self.directory = Path(tempfile.mkdtemp(prefix="bench.", dir=ROOT / "build"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for service in reversed(self.started):
            self.end(service)
        shutil.rmtree(self.directory, ignore_errors=True)

    def end(self, service):
        """A peer must end its own processes, so it is asked to end. The others are killed; only their memory is lost."""
        if isinstance(service, Peer) and service.running():
            service.terminate()
        service.kill()

    def _start(self, service):
        self.started.append(service)
        service.start()
        self.commands.append(self._readable(shlex.join(service.process.args)))
        if isinstance(service, Daemon):
            self.configurations.append(self._readable(service.config.read_text()))
        return service

    def _readable(self, text):
        """TEXT without the paths of this machine."""
        text = re.sub(rf"{re.escape(str(self.directory))}/\d+\w+", "DIR", text)
        text = text.replace(f"{self.build}/", "").replace(str(self.build), "build/release")
        return text.replace(f"{ROOT}/", "").replace(str(Path.home()), "~")

    def _folder(self, name):
        return self.directory / f"{len(self.started)}{name[:4]}"  # short, because the path of a socket has at most 107 bytes

    def redis(self, durability="memory"):
        server = RedisServer(self._folder("redis"), **DURABILITY[durability])
        server.prefix = cores.prefix("redis")
        return self._start(server)

    def replica_of(self, redis):
        replica = self.redis()
        replica.client.replicaof("127.0.0.1", redis.port)
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", "the replica follows")
        return replica

    def daemon(self, redis, durability="memory", kafka=None, changes=None):
        """CHANGES: key of the configuration -> value. Without KAFKA, the daemon has a broker that it never reaches."""
        brokers = kafka.brokers if kafka else NOWHERE
        daemon = Daemon(self._folder("minuted"), self.build, redis, durability, brokers, {**ONE_REDIS, **(changes or {})})
        if kafka:
            daemon.create_topics()
        return self._start(daemon)

    def peer(self, name, redis):
        return self._start(Peer(self._folder(name), name, self.build, redis))

    def kafka(self):
        """A real Apache Kafka without minuted's topics."""
        from harness.kafka_broker import KafkaBroker, kafka_jars  # only here, since it needs Java and Kafka's client
        jars = kafka_jars()
        broker = KafkaBroker(self._folder("kafka"), jars)
        broker.java = [*BROKER_JAVA, "-cp", f"{jars}/*"]
        broker.prefix = cores.prefix("kafka")
        return self._start(broker.format())
