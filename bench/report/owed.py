"""What Redis still owes to Kafka, read from the keys that daemon/store/functions.lua describes."""

import re
import time

from .load import ScenarioProblem

NAME = re.compile(rb"minuted:\{[^}]*\}:(due|ld|d:\d+)")
LOOK_S = 0.1


def owed_keys(redis):
    """The keys that list what is not published yet, by kind: due, ld (lesson sums) and d (learners of a minute)."""
    found = {"due": [], "ld": [], "d": []}
    for key in redis.scan_iter(match="minuted:*", count=5000):
        match = NAME.fullmatch(key)
        if match:
            found[match[1].decode().partition(":")[0]].append(key)
    return found


def count_owed_minutes(redis, owed):
    """How many learner-minutes are still to be published."""
    with redis.pipeline(transaction=False) as pipeline:
        for key in owed["d"]:
            pipeline.scard(key)
        return sum(pipeline.execute())


def newest_owed_end(redis, owed):
    """The Unix second at which the newest due minute ends."""
    with redis.pipeline(transaction=False) as pipeline:
        for key in owed["due"]:
            pipeline.zrange(key, 0, -1)
        return 60 * (1 + max(int(minute) for minutes in pipeline.execute() for minute in minutes))


def wait_settled(redis, owed, seconds):
    """Waits until all is settled, and returns when that was seen. Redis drops each key with its last member."""
    keys = [key for kind in owed.values() for key in kind]
    deadline = time.monotonic() + seconds
    while True:
        left = redis.exists(*keys)
        now = time.monotonic()
        if not left:
            return now
        if now > deadline:
            raise ScenarioProblem(f"after {seconds} s {left} of {len(keys)} keys are not settled")
        time.sleep(LOOK_S)
