"""What each scenario works with: its servers, its loads, short or full lengths, and a place for its findings."""

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
        """Options for a constant rate of players in real time, 15 s between heartbeats as in life (2 s in a quick run)."""
        interval, warmup, seconds = self.choose((2, 3, 7), (15, 16, 28))
        return ["--plain", "--make-sessions", "--load", f"{rate}:{seconds}s", "--interval", f"{interval}s",
                "--players", rate * interval, "--warmup", f"{warmup}s"]

    def closed(self, players=25_000):
        """Options for saturation: each connection sends when it has its answer, on two threads, since one is slower than nginx.

        The players deliver what they played earlier, 15 s a run, so that what a run claims does not depend on the speed of
        the server. They are few enough for all to begin within the warm-up, and too many to reach a lesson's end.
        """
        return ["--plain", "--backdate", "1h", "--claim", "15s", "--threads", 2, "--players", players, "--drain", "5s",
                *self.choose(["--load", "max:4s", "--warmup", "1s"], ["--load", "max:10s", "--warmup", "3s"])]
