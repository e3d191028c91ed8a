"""minuted-bench against a daemon: started with its reports beside it, and what they say when it has ended."""

import json
from dataclasses import dataclass, field

from .daemon import BUILD, SANITIZERS
from .service import PATIENCE_S, Service

BENCH = BUILD / "bench/load/minuted-bench"

# Sessions of its own making, and nobody waits for a warm-up.
QUICK = ("--make-sessions", "--warmup", "0s", "--drain", "10s", "--connections", 8)


@dataclass
class Found:
    """How a load ended: its exit status, all that it said, and its reports, where it wrote them."""

    status: int
    said: str
    result: dict = None
    hgrm: str = None
    html: str = None
    counts: dict = field(init=False)

    def __post_init__(self):
        self.counts = self.result["counts"] if self.result else {}

    @property
    def void(self):
        return self.result["void_reason"]

    @property
    def good(self):
        """Exit status 0, unless this machine was too slow to send in time, which says nothing of the program."""
        return self.status == 0 or (self.status == 1 and "the generator" in (self.void or ""))

    def total(self, count):
        """Of the whole load; `counts` are of the measured time."""
        return sum(second[count] for second in self.result["seconds"])

    def slower_than(self, us):
        """How many answers took longer."""
        latency = self.result["latency_us"]
        return latency["n"] - max((count for _, value, count in latency["steps"] if value <= us), default=0)


class Bench(Service):
    name = "minuted-bench"

    def __init__(self, directory, daemon):
        super().__init__(directory)
        self.daemon = daemon

    def begin(self, *words):
        reports = [f"--{kind}={self.directory / kind}" for kind in ("json", "hgrm", "html")]
        self.spawn([BENCH, "--config", self.daemon.write_config(), "--dev", *reports, *words], env=SANITIZERS)
        return self

    def end(self, seconds=PATIENCE_S):
        status = self.wait_exit(seconds)
        texts = [path.read_text() if path.exists() else None
                 for path in (self.directory / kind for kind in ("json", "hgrm", "html"))]
        return Found(status, self.log_text(), json.loads(texts[0]) if texts[0] else None, *texts[1:])

    def run(self, *words):
        return self.begin(*words).end()
