"""Measures what Redis keeps of a fully watched minute once it is published.

The same players watch 20 minutes with one fresh Redis and 40 with another. All is published and settled before the memory is
read. The difference is 20 full minutes of each player; the rest of the first figure is what each learner takes.
"""

from ..owed import owed_keys, wait_settled

TITLE = "Memory of a learner-minute"
WHAT = ("Players who have watched so many whole minutes deliver them; when Kafka has them all, Redis is asked for its "
        "used memory. The difference between two such Redis is nothing but fully watched, settled minutes.")

SETTLED_WITHIN_S = 240
MARGIN_MINUTES = 4  # the delivered minutes ended this long ago, so that they are due at once
BATCH = 100
LESSONS_MORE = 14


def run(bench):
    kafka = bench.servers.kafka()
    players, spans = bench.choose(5_000, 20_000), (20, 40)
    used, watched = zip(*(used_after(bench, kafka, players, minutes) for minutes in spans))
    per_minute = (used[1] - used[0]) / (watched[1] - watched[0])
    bench.facts.update({
        "players": players, "spans_min": spans, "used": used, "watched_min": watched, "bytes_per_minute": per_minute,
        "bytes_per_learner": (used[0] - watched[0] * per_minute) / players,
    })


def used_after(bench, kafka, players, minutes):
    """(the bytes by which Redis grows when PLAYERS have watched MINUTES each and all is settled, the minutes credited)"""
    redis = bench.servers.redis()
    kafka.delete_topics()
    minuted = bench.servers.daemon(redis, kafka=kafka)
    before = redis.client.info("memory")["used_memory"]
    result = deliver(bench, f"minutes-{minutes}", minuted, redis, players, minutes)
    wait_settled(redis.client, owed_keys(redis.client), SETTLED_WITHIN_S)
    bench.servers.end(minuted)
    used = redis.client.info("memory")["used_memory"] - before
    bench.facts["bytes_per_lesson"] = bytes_of_a_lesson(redis.client)
    bench.servers.end(redis)
    return used, sum(second["credited_s"] for second in result["seconds"]) / 60


def bytes_of_a_lesson(redis):
    """The bytes that each further lesson adds to a learner's totals, measured with copies of one total under other names."""
    key = next(redis.scan_iter(match="minuted:*:t:*", count=1000))
    lesson, total = next(iter(redis.hgetall(key).items()))
    before = redis.memory_usage(key)
    others = {lesson + b"-%d" % i: total for i in range(LESSONS_MORE)}
    redis.hset(key, mapping=others)
    added = redis.memory_usage(key) - before
    redis.hdel(key, *others)
    return added / LESSONS_MORE


def deliver(bench, name, minuted, redis, players, minutes):
    """A gateway delivers MINUTES of each of PLAYERS in runs of a minute, taking the players in turn."""
    rate = bench.choose(250, 500)
    seconds, rest = divmod(players * minutes, BATCH * rate)
    assert rest == 0, "one run too many would be of a minute that is not due yet"
    return bench.load.deliver(
        name, f"{players:,} players deliver {minutes} minutes each", minuted, "--plain", "--batch", BATCH, "--players",
        players, "--backdate", f"{minutes + MARGIN_MINUTES}m", "--claim", "60s", "--interval", "60s", "--load",
        f"{rate}:{seconds}s", "--warmup", "0s", "--drain", "60s", "--connections", 16, "--timeout", "30s",
        watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
