"""Saturates minuted and the peers that do the same work, in turns."""

TITLE = "Saturation, beside the peers"
WHAT = ("256 connections send as soon as they are answered, to one processor of the daemon or peer and one of Redis. The "
        "peers judge and credit with the same atomic function of Redis; bench/peers/README.md says how they are tuned.")

PEERS = ("floor", "nginx-lua", "fastify", "evhttp")


def run(bench):
    servers, load = bench.servers, bench.load
    redis, durable, other = servers.redis(), servers.redis("fsync"), servers.redis()
    minuted, fsync = servers.daemon(redis), servers.daemon(durable, "fsync")
    peers = [servers.peer(name, other) for name in PEERS]
    for turn in range(1, bench.choose(1, 3) + 1):
        load.measure(f"minuted-{turn}", f"minuted, memory, round {turn}", minuted, *bench.closed(),
                     watch=[("minuted", minuted.pid), ("redis", redis.process.pid)])
        load.measure(f"minuted-fsync-{turn}", f"minuted, fsync, round {turn}", fsync, *bench.closed(),
                     watch=[("minuted", fsync.pid), ("redis", durable.process.pid)])
        for peer in peers:
            floor = peer.name == "floor"
            load.measure(f"{peer.name}-{turn}", f"{peer.name}, round {turn}", minuted,
                         *(["--any-answer"] if floor else []), *bench.closed(), to=peer,
                         watch=[(peer.name, peer.pid), *([] if floor else [("redis", other.process.pid)])])
