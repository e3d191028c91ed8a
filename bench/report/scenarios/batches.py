"""A gateway's requests with 100 heartbeats against single ones, in turns."""

TITLE = "Gateway batches"
WHAT = ("A gateway sends the heartbeats of 100 players in one request. In rounds, saturated: runs for a second of "
        "processor time.")

PLAYERS = 60_000  # more than elsewhere: batches come to the end of what fewer have played


def run(bench):
    redis = bench.servers.redis()
    minuted = bench.servers.daemon(redis)
    watch = [("minuted", minuted.pid), ("redis", redis.process.pid)]
    for turn in range(1, bench.choose(1, 3) + 1):
        bench.load.measure(f"single-{turn}", f"single heartbeats, round {turn}", minuted, *bench.closed(PLAYERS),
                           watch=watch)
        bench.load.measure(f"batch-{turn}", f"100 heartbeats a request, round {turn}", minuted,
                           *bench.closed(PLAYERS), "--batch", 100, "--connections", 16, watch=watch)
