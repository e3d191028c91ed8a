"""What a nation of teachers costs, from the measured figures; page_capacity.py tells it. Pure.

What is assumed and not measured stands in ASSUMED, and is said in the page.
"""

import math

ASSUMED = {
    "teachers": 13_000_000,
    "lessons": 15,            # that a teacher has a total of: six hours are about so many
    "rush_players": 1_000_000,
    "interval_s": 15,
    "rush_hours": 8,          # how long the last day's players stay so many, within the horizon of 24 h
    "busy": 0.6,              # of a processor, at most: the rest is for what comes unexpected
    "copies": 3,              # of a topic
    "evidence_days": 90,      # that minuted.learner-minutes is kept
    "hours_each": 6,          # of 45 minutes, that every teacher watches in the end
}
PLAYERS = (10_000, 100_000, 300_000, 1_000_000)
CONNECTIONS = 16_000  # http.max_connections
CONTEXT_RUN = "fsync-20k"
MINUTES_TOPIC, LESSONS_TOPIC = "minuted.learner-minutes", "minuted.learner-lessons"


def product(*factors):
    """None where one is not known."""
    return None if None in factors else math.prod(factors)


def total(*parts):
    return None if None in parts else sum(parts)


def inverse(value):
    return None if not value else 1 / value


def up(value):
    """Whole things, of which there is at least one."""
    return None if value is None else max(1, math.ceil(value))


class Measured:
    """The figures that everything else follows from."""

    def __init__(self, results):
        self.daemon_us = results.median("floor", CONTEXT_RUN, "cpu.minuted")
        self.redis_us = results.median("floor", CONTEXT_RUN, "cpu.redis")
        self.minute_bytes = results.fact("memory", "bytes_per_minute")
        self.learner_bytes = results.fact("memory", "bytes_per_learner")
        self.lesson_bytes = results.fact("memory", "bytes_per_lesson")
        self.connection_bytes = results.metric("idle", "idle", "memory_per_idle_connection")
        minutes = inverse(results.fact("catch-up", "learner_minutes"))
        self.publish_us = product(results.fact("catch-up", "daemon_cpu_s"), minutes, 1e6)
        self.publish_redis_us = product(results.fact("catch-up", "redis_cpu_s"), minutes, 1e6)
        self.publish_rate = product(results.fact("catch-up", "learner_minutes"),
                                    inverse(results.fact("catch-up", "settled_s")))
        self.minute_record = self._record(results, MINUTES_TOPIC)
        self.lesson_record = self._record(results, LESSONS_TOPIC)

    @staticmethod
    def _record(results, topic):
        """Bytes of a record on the broker's disk."""
        return product(results.fact("catch-up", "topics", topic, "bytes"),
                       inverse(results.fact("catch-up", "topics", topic, "records")))


class Need:
    """What so many players at a time take."""

    def __init__(self, players, measured, assumed=None):
        assumed = assumed or ASSUMED
        self.players = players
        self.heartbeats = players / assumed["interval_s"]
        self.minutes = players / 60  # learner-minutes that end in a second
        self.daemon = self._cores(measured.daemon_us, measured.publish_us)
        self.redis = self._cores(measured.redis_us, measured.publish_redis_us)
        self.daemon_cores = product(self.daemon, 1 / assumed["busy"])
        self.redis_cores = product(self.redis, 1 / assumed["busy"])
        self.window_bytes = product(measured.minute_bytes, players * 60 * assumed["rush_hours"])
        self.connections_bytes = product(measured.connection_bytes, players)
        record = total(measured.minute_record, measured.lesson_record)
        self.kafka_rate = product(record, self.minutes)

    def _cores(self, heartbeat_us, publish_us):
        """Processors that are busy all the time."""
        return total(product(heartbeat_us, self.heartbeats / 1e6), product(publish_us, self.minutes / 1e6))


def totals_bytes(measured, assumed=None):
    """What every teacher's totals take."""
    assumed = assumed or ASSUMED
    each = total(measured.learner_bytes, product(measured.lesson_bytes, assumed["lessons"] - 1))
    return product(each, assumed["teachers"])


def redis_servers(need, assumed=None):
    """A Redis has one thread that counts: so many servers, and a number that shares partitions evenly."""
    cores = need.redis_cores
    return None if cores is None else 2 ** max(0, math.ceil(math.log2(cores)))


def limits(measured):
    """(what gives way, players at a time that it bears) of ONE daemon worker, Redis and publisher; least first."""
    one = Need(ASSUMED["interval_s"], measured)  # a heartbeat a second
    each = ASSUMED["interval_s"]
    found = [
        ("the publisher: one daemon of a deployment publishes, from one thread",
         product(measured.publish_rate, 60)),
        ("one Redis server, its one thread busy with crediting and publishing", product(inverse(one.redis), each)),
        ("one worker of the daemon", product(inverse(one.daemon), each)),
        ("one daemon's connections (`http.max_connections`, as it is by default: raise it)", CONNECTIONS),
    ]
    return sorted(((name, players) for name, players in found if players is not None), key=lambda pair: pair[1])
