"""Compares minuted with nginx `return 204`, in turns, to see what crediting costs beyond HTTP alone."""

TITLE = "Beside the floor"
WHAT = ("nginx answering every request with 204 is what HTTP alone costs a mature server. It and minuted take turns, "
        "and each round is compared within itself, since what a machine achieves changes from minute to minute.")


def run(bench):
    servers, load = bench.servers, bench.load
    redis, durable = servers.redis(), servers.redis("fsync")
    minuted = servers.daemon(redis)
    fsync = servers.daemon(durable, "fsync")
    nginx = servers.peer("floor", redis)
    at_floor = {"to": nginx, "watch": [("nginx", nginx.pid)]}
    at_minuted = {"watch": [("minuted", minuted.pid), ("redis", redis.process.pid)]}
    at_fsync = {"watch": [("minuted", fsync.pid), ("redis", durable.process.pid)]}
    light = ["--any-answer", *bench.steady()]
    light[light.index("--load") + 1] = bench.choose("20000:5s", "20000:12s")  # short, because nginx remembers no players
    light[light.index("--warmup") + 1] = "2s"
    for turn in range(1, bench.choose(1, 3) + 1):
        load.measure(f"floor-max-{turn}", f"nginx 204, saturated, round {turn}", minuted,
                     "--any-answer", *bench.closed(), **at_floor)
        load.measure(f"minuted-max-{turn}", f"minuted, saturated, round {turn}", minuted, *bench.closed(), **at_minuted)
        load.measure(f"fsync-max-{turn}", f"minuted, fsync, saturated, round {turn}", fsync, *bench.closed(),
                     **at_fsync)
        load.measure(f"floor-20k-{turn}", f"nginx 204 at 20,000/s, round {turn}", minuted, *light, **at_floor)
        load.measure(f"minuted-20k-{turn}", f"minuted at 20,000/s, round {turn}", minuted, *bench.steady(), **at_minuted)
        load.measure(f"fsync-20k-{turn}", f"minuted, fsync, at 20,000/s, round {turn}", fsync, *bench.steady(),
                     **at_fsync)
