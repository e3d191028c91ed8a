"""What happens to the parts, and when: for each part a thread of its own, with instants drawn from the seed.

Parts are struck independently of each other, so that any two may be away at once.
"""

import random
import threading
import time

from .arguments import PARTS

HOLDER_S = 90    # somebody holds the lease within
CALM = 0.04      # share of the storm that stays calm at its beginning and at its end
KAFKA_AWAY = 0.15   # share of the storm for which Kafka is away once


class Fault(threading.Thread):
    """Strikes PART at each of its instants, KILLS times."""

    def __init__(self, part, strike, seed, kills, seconds, report, over):
        super().__init__(daemon=True, name=part)
        self.part, self.strike, self.report, self.over = part, strike, report, over
        self.rng = random.Random(f"{seed} {part}")
        self.instants = sorted(self.rng.uniform(CALM, 1 - CALM) * seconds for _ in range(kills))
        self.struck = 0

    def run(self):
        began = time.monotonic()
        for at in self.instants:
            if self.over.wait(max(0, began + at - time.monotonic())):
                return
            try:
                self.strike(self.rng)
                self.struck += 1
            except Exception as e:  # noqa: BLE001 - told at the end
                self.report.problem(f"{self.part}: {e!r}")


class Faults:
    def __init__(self, theatre, seed, kills, minutes, report):
        self.theatre, self.kills = theatre, kills
        self.seconds = minutes * 60
        self.away_in = random.Random(f"{seed} away").randrange(kills) if kills else -1
        self.kafka_kills = 0
        self.over = threading.Event()
        strikes = (self.daemon, self.redis, self.kafka, self.publisher, self.players_network,
                   lambda rng: self.cut(rng, theatre.redis_way), lambda rng: self.cut(rng, theatre.kafka_way))
        self.threads = [Fault(part, strike, seed, kills, self.seconds, report, self.over)
                        for part, strike in zip(PARTS, strikes)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Nothing more happens after this, also when the storm ends before its time."""
        self.over.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(HOLDER_S)

    def alive(self):
        return any(thread.is_alive() for thread in self.threads)

    def struck(self):
        return {thread.part: thread.struck for thread in self.threads}

    # --- one of each ----------------------------------------------------------------------------

    def daemon(self, rng):
        """More often the one that publishes, since more can go wrong with it."""
        publisher = self.theatre.holder() if rng.random() < 0.5 else None
        daemon = publisher or rng.choice(self.theatre.daemons)
        with daemon.busy:
            self.theatre.kill(daemon)
            self.over.wait(rng.uniform(0, 1.5))
            daemon.launch()   # without waiting until it is ready: Redis may be away too

    def redis(self, rng):
        self.theatre.kill(self.theatre.redis)
        self.over.wait(rng.uniform(0, 2))
        self.theatre.redis.start()

    def kafka(self, rng):
        """Once it stays away for long."""
        away = self.kafka_kills == self.away_in
        self.kafka_kills += 1
        self.theatre.kill(self.theatre.kafka)
        self.over.wait(self.seconds * KAFKA_AWAY if away else rng.uniform(0, 2))
        self.theatre.kafka.start()

    def publisher(self, rng):
        """Nobody may hold the lease just now, or something else is being done to its holder: then later."""
        seconds = rng.uniform(0.5, 4)
        until = time.monotonic() + HOLDER_S
        while not self.theatre.stop_publisher(seconds) and not self.over.wait(0.2):
            if time.monotonic() > until:
                raise TimeoutError(f"nobody could be found for {HOLDER_S} s who publishes")

    def players_network(self, rng):
        self.cut(rng, rng.choice(self.theatre.ways))

    def cut(self, rng, way):
        rng.choice((self.reset, self.silence, self.lose_answers, self.slow))(rng, way)

    def reset(self, rng, way):
        for _ in range(rng.randint(1, 5)):
            way.reset()
            self.over.wait(rng.uniform(0, 0.3))

    def silence(self, rng, way):
        way.silence()
        self.over.wait(rng.uniform(0.2, 5))
        way.heal()

    def lose_answers(self, rng, way):
        way.lose_answers()
        self.over.wait(rng.uniform(0.05, 2))
        way.heal()

    def slow(self, rng, way):
        """The more is on its way at once, the more can come in between."""
        way.slow(rng.uniform(0.05, 0.4))
        self.over.wait(rng.uniform(2, 8))
        way.slow(0)
