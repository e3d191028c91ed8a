"""The real minuted: a configuration file per test, started, moved in time, drained."""

import copy
import os
import signal
import subprocess
from pathlib import Path

import yaml

from .http_client import HttpClient
from .service import PATIENCE_S, Service, environment, free_port, wait_until

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("MINUTED_BUILD", "build/release"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
MINUTED = BUILD / "minuted"
SANITIZED = MINUTED.exists() and b"__asan_init" in MINUTED.read_bytes()   # whose memory is not the program's own
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

SESSION_KEY = b"one session key for all daemons of a test"
SECRET = b"the platform's secret of the integration tests"
ISSUERS = {"higher": "https://higher.example", "basic": "https://basic.example"}
AUDIENCE = "minuted"


def merged(base, changes):
    """BASE with CHANGES put over it, map by map; None removes a key."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def run_minuted(*argv, env=None, seconds=PATIENCE_S):
    """Runs minuted to its end; gives back exit code and all that it said."""
    done = subprocess.run([MINUTED, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds,
                          env=environment({**SANITIZERS, **(env or {})}))
    return done.returncode, done.stdout


class Minuted(Service):
    name = "minuted"

    def __init__(self, directory, catalog, redis="127.0.0.1:1", brokers="embedded", dev=True, changes=None):
        super().__init__(directory)
        self.port, self.admin_port = free_port(), free_port()
        self.dev = dev
        self.program = MINUTED
        self.arguments = []
        self.config_path = self.directory / "minuted.yaml"
        self.session_key = self.file("session.key", SESSION_KEY)
        self.secret_file = self.file("platform.secret", SECRET)
        self.config = merged(self.default_config(catalog, redis, brokers), changes or {})
        self.client = HttpClient(self.port)
        self.admin_client = HttpClient(self.admin_port)

    def default_config(self, catalog, redis, brokers):
        return {
            "http": {"listen": [f"127.0.0.1:{self.port}"], "workers": 2,
                     "allowed_origins": ["https://player.example"]},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "auth": {
                "session_key_file": [str(self.session_key)],
                "issuers": [
                    {"issuer": issuer, "audience": AUDIENCE, "portal": portal, "secret_file": str(self.secret_file)}
                    for portal, issuer in ISSUERS.items()],
            },
            "redis": {"servers": [redis]},
            # Daemons of one Redis are one deployment; those of another test are another to a Kafka that outlives tests.
            "kafka": {"brokers": brokers, "deployment": f"test-{redis.rpartition(':')[2]}"},
            "catalog": str(catalog),
        }

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def change(self, changes):
        self.config = merged(self.config, changes)
        return self

    def write_config(self):
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True))
        return self.config_path

    @property
    def base(self):
        return self.config["http"].get("base_path", "")

    def launch(self):
        """Starts it without waiting."""
        self.write_config()
        argv = [self.program, "--config", self.config_path, *(["--dev"] if self.dev else []), *self.arguments]
        self.spawn(argv, env=SANITIZERS)
        return self

    def start(self, now_ms=None):
        self.launch()
        self.wait_ready(self.is_ready)
        self.wait_connected()
        if now_ms is not None:
            self.set_clock(now_ms)
        return self

    def wait_connected(self):
        """Readiness speaks of Redis itself; a worker's own two connections may come a moment later."""
        wanted = 2 * self.config["http"]["workers"]
        wait_until(lambda: self.log_text().count("event=redis_ready") >= wanted, "every worker has its connections")

    def is_ready(self):
        return self.admin_client.get("/readyz").status == 200

    def is_live(self):
        return self.admin_client.get("/livez").status == 200

    def readyz(self):
        response = self.admin_client.get("/readyz?verbose")
        return response.status, response.body.decode()

    def metric(self, name, labels=""):
        for line in self.admin_client.get("/metrics").body.decode().splitlines():
            if line.startswith(name + labels + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}{labels}")

    def set_clock(self, now_ms):
        assert self.client.post(f"{self.base}/dev/clock", {"now_ms": now_ms}).status == 200

    def advance(self, ms):
        assert self.client.post(f"{self.base}/dev/clock", {"advance_ms": ms}).status == 200

    def now_ms(self):
        return self.client.get(f"{self.base}/dev/clock").json()["now_ms"]

    def brokers(self):
        return self.client.get(f"{self.base}/dev/kafka").json()["brokers"]

    def reload(self):
        """SIGHUP; waits until the log says what came of it. By then every worker's loop has it before any later request."""
        before = self.log_text().count("event=reload")
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.log_text().count("event=reload") > before, "minuted has reloaded")

    def stop(self):
        """Drains it and says whether all was well."""
        code = self.terminate()
        assert code == 0, f"minuted ended with {code}\n{self.log_tail()}"
