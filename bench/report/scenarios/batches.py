"""Compares a gateway's requests of 100 heartbeats with requests of one, in turns."""

TITLE = "Gateway batches"
WHAT = ("A gateway sends the heartbeats of 100 players in one request. In rounds, saturated: runs for a second of "
        "processor time.")

PLAYERS = 60_000  # more than elsewhere, because batches would deliver all that fewer players have played


def run(bench):
    redis = bench.servers.redis()
    minuted = bench.servers.daemon(redis)
    watch = [("minuted", minuted.pid), ("redis", redis.process.pid)]
    for turn in range(1, bench.choose(1, 3) + 1):
        bench.load.measure(f"single-{turn}", f"single heartbeats, round {turn}", minuted, *bench.closed(PLAYERS),
                           watch=watch)
        bench.load.measure(f"batch-{turn}", f"100 heartbeats a request, round {turn}", minuted,
                           *bench.closed(PLAYERS), "--batch", 100, "--connections", 16, watch=watch)
