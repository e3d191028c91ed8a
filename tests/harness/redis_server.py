"""A real redis-server, set up as minuted asks for it."""

import os
from collections import Counter

import redis

from .service import PATIENCE_S, Service, free_port

# Another release, or a relative, where that is tested.
SERVER = os.environ.get("MINUTED_REDIS_SERVER", "redis-server")

DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}


class RedisServer(Service):
    name = "redis"

    def __init__(self, directory, **settings):
        """SETTINGS of redis.conf; with `requirepass` the test's own client logs in, too."""
        super().__init__(directory)
        self.port = free_port()
        self.socket = self.directory / "redis.sock"
        self.settings = {**DURABLE, **settings}
        self.client = redis.Redis(port=self.port, socket_timeout=PATIENCE_S, password=settings.get("requirepass"))

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        argv = [SERVER, "--bind", "127.0.0.1", "--port", self.port, "--dir", self.directory,
                "--unixsocket", self.socket, "--daemonize", "no"]
        for key, value in self.settings.items():
            argv += [f"--{key}", value]
        self.spawn(argv)
        self.wait_ready(self.client.ping)
        return self

    def times_asked(self):
        """How often anybody asked for its time, which daemons do whenever they look at it."""
        return self.client.info("commandstats").get("cmdstat_time", {"calls": 0})["calls"]

    def wait_asked(self, text, times):
        """Waits until one and the same command, in which TEXT stands, has come so many TIMES from now on."""
        asked = Counter()
        with self.client.monitor() as monitor:
            for command in monitor.listen():
                words = command["command"]
                asked[words] += text in words
                if asked[words] >= times:
                    return

    def restart(self):
        """Ends it at once, as a crash would, and starts it again on its append-only file."""
        self.kill()
        return self.start()
