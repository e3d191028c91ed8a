"""Computes what a nation of teachers costs from the measured figures; page_capacity.py shows it. Pure.

ASSUMED holds what is not measured. The page names each assumption.
"""

import math

ASSUMED = {
    "teachers": 13_000_000,
    "lessons": 15,            # that a teacher has totals of; about as many as six hours take
    "rush_players": 1_000_000,
    "interval_s": 15,
    "rush_hours": 8,          # during which the last day has that many players; the horizon is 24 h
    "busy": 0.6,              # of a processor, at most; the rest is for surprises
    "copies": 3,              # of each topic
    "evidence_days": 400,      # for which minuted.learner-minutes is kept
    "hours_each": 6,          # of 45 minutes that every teacher watches in the end
}
PLAYERS = (10_000, 100_000, 300_000, 1_000_000)
CONNECTIONS = 16_000  # http.max_connections
CONTEXT_RUN = "fsync-20k"
MINUTES_TOPIC, LESSONS_TOPIC = "minuted.learner-minutes", "minuted.learner-lessons"


def product(*factors):
    """None if one of the factors is not known."""
    return None if None in factors else math.prod(factors)


def total(*parts):
    return None if None in parts else sum(parts)


def inverse(value):
    return None if not value else 1 / value


def up(value):
    """Rounded up to whole things, and at least one."""
    return None if value is None else max(1, math.ceil(value))


class Measured:
    """The measured figures from which everything else is computed."""

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
    """What PLAYERS who watch at the same time need."""

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
        """How many processors this keeps busy all the time."""
        return total(product(heartbeat_us, self.heartbeats / 1e6), product(publish_us, self.minutes / 1e6))


def totals_bytes(measured, assumed=None):
    """Bytes of the totals of all teachers."""
    assumed = assumed or ASSUMED
    each = total(measured.learner_bytes, product(measured.lesson_bytes, assumed["lessons"] - 1))
    return product(each, assumed["teachers"])


def redis_servers(need, assumed=None):
    """How many Redis servers, each with one thread for commands; a power of two, which shares the partitions evenly."""
    cores = need.redis_cores
    return None if cores is None else 2 ** max(0, math.ceil(math.log2(cores)))


def limits(measured):
    """(part, players at a time that it bears) for ONE daemon worker, Redis and publisher; the weakest part first."""
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
