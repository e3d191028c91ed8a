"""The real servers: Redis, Kafka and two daemons, each reached through a proxy that can be cut."""

import signal
import threading
import time
from collections import Counter
from http.client import HTTPException

from harness.catalog import CATALOG
from harness.daemon import Minuted, run_minuted
from harness.http_client import HttpClient
from harness.kafka_broker import KafkaBroker, kafka_jars
from harness.proxy import ProxyThread
from harness.records import end_offsets
from harness.redis_server import RedisServer
from harness.redis_truth import is_settled
from harness.service import wait_until

DAEMONS = 2
LEASE_S = 10.0   # LEASE_TTL_MS of daemon/publish/lease.h
EVENTS = ("lease_taken", "lease_lost", "publisher_fenced", "publish_failed", "apply_refused", "redis_disconnected",
          "history_gone")
KAFKA_LATENCY_S = 0.03   # each way, so that whatever strikes often meets a transaction half-way
RUNNING = "1s"   # minutes are published while they run, so that something is always on its way to Kafka


class Theatre:
    def __init__(self, directory, report):
        self.directory, self.report = directory, report
        self.proxies = ProxyThread()
        self.redis = RedisServer(directory / "redis")
        self.kafka = KafkaBroker(directory / "kafka", kafka_jars())
        self.kafka_way = self.kafka.behind(self.proxies, KAFKA_LATENCY_S)
        self.redis_way = self.proxies.proxy(self.redis.port)
        self.daemons, self.ways = [], []
        self.catalog = directory / "catalog.yaml"
        self.catalog.write_text(CATALOG)

    def start(self):
        self.redis.start()
        self.kafka.format().start()
        for i in range(DAEMONS):
            self._add_daemon(f"minuted-{i + 1}")
        code, output = run_minuted("--config", self.daemons[0].write_config(), "--create-topics")
        assert code == 0, output
        wait_until(lambda: end_offsets(self.kafka.brokers), "every partition has its leader")
        for daemon in self.daemons:
            daemon.start()
        return self

    def _add_daemon(self, name):
        changes = {"kafka": {"deployment": "storm"}, "publish": {"running_minutes": RUNNING}}
        daemon = Minuted(self.directory / name, self.catalog, self.redis_way.address, self.kafka_way.address,
                         changes=changes)
        daemon.name = name
        daemon.busy = threading.Lock()   # held while something is done to it
        self.daemons.append(daemon)
        self.ways.append(self.proxies.proxy(daemon.port))

    @property
    def ports(self):
        """Where players send."""
        return [way.port for way in self.ways]

    def services(self):
        return [self.redis, self.kafka, *self.daemons]

    def holder(self):
        """The daemon that publishes now, None when nobody could be found. Any thread may ask."""
        for daemon in self.daemons:
            client = HttpClient(daemon.admin_port, timeout=1)
            try:
                if b"\nminuted_publish_holds_lease 1\n" in client.get("/metrics").body:
                    return daemon
            except (OSError, HTTPException):
                continue
            finally:
                client.close()
        return None

    # --- what is done to them -------------------------------------------------------------------

    def kill(self, service):
        """kill -9, if it lives; a part that ended by itself is a fault of the product."""
        if not service.running():
            self.report.problem(f"{service.name} ended by itself with {service.process.returncode}")
        service.kill()

    def stop_publisher(self, seconds):
        """SIGSTOP of the publisher for longer than its lease, then SIGCONT. Whether one was found."""
        daemon = self.holder()
        if daemon is None or not daemon.busy.acquire(timeout=0.1):
            return False
        try:
            if self.holder() is not daemon:
                return False
            daemon.signal(signal.SIGSTOP)
            time.sleep(LEASE_S + seconds)  # sleeps: the publisher stands still for so long
            daemon.signal(signal.SIGCONT)
        finally:
            daemon.busy.release()
        return True

    def events(self):
        """How often the daemons said what a storm is about."""
        text = "".join(daemon.log_text() for daemon in self.daemons)
        return Counter({name: text.count(f"event={name} ") for name in EVENTS})

    # --- the end --------------------------------------------------------------------------------

    def heal(self):
        """Every part runs and is reached again."""
        for way in (self.redis_way, self.kafka_way, *self.ways):
            way.heal()
        for daemon in self.daemons:
            if not daemon.running():
                self.report.problem(f"{daemon.name} ended by itself with {daemon.process.returncode}")
                daemon.launch()
            daemon.wait_ready(daemon.is_ready, 60)

    def let_minutes_end(self, ms):
        """Moves every daemon's clock on, so that the last minutes are due and watermarks pass them."""
        for daemon in self.daemons:
            daemon.advance(ms)

    def wait_settled(self, seconds):
        wait_until(lambda: is_settled(self.redis.client), "Redis owes nothing to Kafka", seconds)

    def stop(self):
        """Drains the daemons and ends all, whatever goes wrong with one of them; what was not well is a problem."""
        try:
            for daemon in self.daemons:
                self._drain(daemon)
        finally:
            for service in reversed(self.services()):
                service.kill()
            self.proxies.stop()
        for service in self.services():
            if service.sanitizer_report():
                self.report.problem(f"{service.name}: {service.sanitizer_report()}")

    def _drain(self, daemon):
        if not daemon.running():
            return
        try:
            code = daemon.terminate(60)
        except AssertionError as e:
            self.report.problem(str(e))
            return
        if code != 0:
            self.report.problem(f"{daemon.name} ended with {code} on SIGTERM")
