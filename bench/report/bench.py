"""What a scenario is given: its servers, its loads, how long it may take, and where to note what it found."""

from dataclasses import dataclass, field

from .load import Load
from .servers import Servers


@dataclass
class Bench:
    servers: Servers
    load: Load
    quick: bool
    facts: dict = field(default_factory=dict)

    def choose(self, quick, full):
        return quick if self.quick else full

    def steady(self, rate=20_000):
        """A constant rate of players in real time; all play as players do: 15 s between heartbeats, where there is time."""
        interval, warmup, seconds = self.choose((2, 3, 7), (15, 16, 28))
        return ["--plain", "--make-sessions", "--load", f"{rate}:{seconds}s", "--interval", f"{interval}s",
                "--players", rate * interval, "--warmup", f"{warmup}s"]

    def closed(self):
        """As much as it can: each connection sends when it has its answer. One thread cannot keep up with nginx."""
        return ["--plain", "--make-sessions", "--threads", 2, "--players", 300_000, "--drain", "5s", *self.choose(
            ["--load", "max:4s", "--warmup", "1s"], ["--load", "max:10s", "--warmup", "3s"])]
