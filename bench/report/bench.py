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

    def closed(self, players=25_000):
        """As much as it can: each connection sends when it has its answer. One thread cannot keep up with nginx.

        What players played before is delivered, 15 s a run: what a run claims does not depend on how fast the server
        is. They are so few that all have begun within the warm-up, and so many that none comes to a lesson's end.
        """
        return ["--plain", "--backdate", "1h", "--claim", "15s", "--threads", 2, "--players", players, "--drain", "5s",
                *self.choose(["--load", "max:4s", "--warmup", "1s"], ["--load", "max:10s", "--warmup", "3s"])]
