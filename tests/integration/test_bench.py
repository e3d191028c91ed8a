"""minuted-bench against the real daemon: what it sends arrives whole, and it tells the truth about what went wrong."""

import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.bench import BENCH, QUICK, Bench
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, environment, free_port, wait_until

SECOND_US = 1_000_000
PLAIN = ("--plain", *QUICK)
RUNNING = {"publish": {"running_minutes": "1s"}}


@pytest.fixture(scope="module")
def target(new_shared, shared_redis):
    """One daemon for the module, at two addresses."""
    daemon = new_shared(shared_redis)
    return daemon.change({"http": {"listen": [f"127.0.0.{n}:{daemon.port}" for n in (1, 2)]}}).start()


@pytest.fixture
def new_bench(tmp_path, services):
    def make(daemon):
        bench = Bench(tmp_path / "bench", daemon)
        services.append(bench)
        return bench
    return make


@pytest.fixture
def bench(new_bench, target):
    return new_bench(target)


def watched_seconds(redis):
    """Of each learner, whatever the lesson."""
    return {learner: seconds for (learner, _), seconds in Truth(redis.client).totals.items()}


@contextmanager
def all_credited(redis):
    """Redis gained what the load, appended to the list given, says was credited; the learners' seconds come behind it."""
    before = watched_seconds(redis)
    seen = []
    yield seen
    gained = {learner: s for learner, s in watched_seconds(redis).items() if learner not in before}
    assert sum(gained.values()) == seen[0].total("credited_s") > 0
    seen.append(gained)


def wait_loaded(bench, daemon):
    """Until the load runs."""
    before = daemon.metric("minuted_runs_accepted_total")
    wait_until(lambda: not bench.running() or daemon.metric("minuted_runs_accepted_total") > before + 10,
               "the load runs", every=0.02)
    assert bench.running(), bench.log_tail()


def connections(port):
    """(from, to), the last bytes of the addresses, of the connections to PORT."""
    pairs = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        source, place, state = line.split()[1:4]
        if int(place[9:], 16) == port and state == "01":
            pairs.append((int(source[:2], 16), int(place[:2], 16)))
    return pairs


# --- what arrives -------------------------------------------------------------------------------

def test_a_short_load_is_accepted_whole(bench, target, shared_redis):
    with all_credited(shared_redis) as seen:
        found = bench.run("--load", "max:1s", "--warmup", "0s", "--players", 10, "--connections", 2, "--interval", "5s",
                          "--pauses", "30%", "--seeks", "30%", "--resends", "2%", "--title", "A short load",
                          "--assert", "refused==0,failed==0,rejected==0,runs_per_s>0", "--watch",
                          f"minuted={target.process.pid}")
        seen.append(found)
    assert found.good, found.said
    counts = found.counts
    assert counts["refused"] == counts["failed"] == counts["rejected"] == 0 < counts["answered"]
    assert found.result["title"] == "A short load" and found.result["load"]["closed_loop"]
    assert found.result["processes"][0]["cpu_us"] > 0
    assert "A short load" in found.said and "NOT MET" not in found.said
    assert "A short load" in found.html and found.html.rstrip().endswith("</html>")
    rows = [line.split() for line in found.hgrm.splitlines() if re.match(r"\s*[\d.]+\s+[01]\.\d+\s+\d+", line)]
    assert float(rows[-1][1]) == 1 and int(rows[-1][2]) == found.result["latency_us"]["n"]


def test_an_open_loop_sends_what_the_schedule_says(bench, shared_redis):
    with all_credited(shared_redis) as seen:
        found = bench.run(*QUICK, "--load", "50-350:1s,200:500ms", "--interval", "500ms", "--resends", "0",
                          "--drain", "20s")
        seen.append(found)
    assert found.good, found.said
    assert found.total("offered") == found.total("sent") == found.total("answered") == 300
    assert found.result["latency_us"]["n"] == 300


def test_batches(bench, shared_redis):
    with all_credited(shared_redis) as seen:
        found = bench.run(*PLAIN, "--load", "20:1s", "--batch", 10, "--players", 400)
        seen.append(found)
    assert found.good, found.said
    assert found.total("answered") == 20 and len(seen[1]) == 200


def test_the_largest_batch_is_no_larger_than_a_request_may_be(bench):
    found = bench.run(*PLAIN, "--load", "4:1s", "--batch", 256, "--players", 1100)
    assert found.good, found.said
    assert found.total("sent") == found.total("answered") == 4
    assert 4 * 100 < found.total("accepted") <= 4 * 256


def test_a_connection_for_each_request(bench, target):
    before = target.metric("minuted_http_connections_total")
    found = bench.run(*PLAIN, "--load", "100:1s", "--close")
    assert found.good, found.said
    assert target.metric("minuted_http_connections_total") - before == found.total("answered") == 100


def test_several_places_sources_and_threads(bench, target, shared_redis):
    with all_credited(shared_redis) as seen:
        bench.begin(*PLAIN, "--load", "300:1s", "--players", 300, "--connections", 12, "--threads", 3, "--idle", 12,
                    "--to", f"127.0.0.1:{target.port}", "--to", f"127.0.0.2:{target.port}",
                    "--from", "127.0.0.3,127.0.0.4")
        wait_loaded(bench, target)
        pairs = connections(target.port)
        found = bench.end()
        seen.append(found)
    assert found.good, found.said
    assert set(pairs) == {(source, place) for source in (3, 4) for place in (1, 2)}
    assert found.result["load"]["threads"] == 3 and found.total("answered") == 300
    assert len(seen[1]) == 300  # each of the players' thirds had its turns


def test_idle_connections_are_held(bench, target):
    bench.begin(*PLAIN, "--load", "20:1s", "--idle", 50, "--watch", f"minuted={target.process.pid}")
    wait_loaded(bench, target)
    assert 50 <= len(connections(target.port)) <= 58
    found = bench.end()
    assert found.good, found.said
    assert found.result["load"]["idle_connections"] == 50
    assert found.result["metrics"]["memory_per_idle_connection"] is not None


def test_players_of_the_past_deliver_all_of_it(bench, shared_redis):
    with all_credited(shared_redis) as seen:
        found = bench.run(*PLAIN, "--load", "max:1s", "--players", 20, "--backdate", "10m", "--claim", "1m")
        seen.append(found)
    assert found.good, found.said
    assert found.total("answered") == 200 and len(seen[1]) == 20 and set(seen[1].values()) == {600}


# --- what goes wrong ----------------------------------------------------------------------------

def test_an_assertion_that_is_not_met(bench):
    found = bench.run(*PLAIN, "--load", "20:1s", "--assert", "p50>0us,p99<0us")
    assert found.status == 1 and re.search(r"NOT MET +p99<0us", found.said)
    assert found.result and found.html


@pytest.mark.parametrize("words, named", [
    (("--load", "fast"), "--load"), (("--threads", "0"), "--threads"), (("--assert", "speed>1"), "--assert"),
    (("--nonsense",), "nonsense"), ((), "--config")])
def test_bad_options(words, named):
    config = ("--config", "minuted.yaml") if words else ()
    done = subprocess.run([BENCH, *config, *words], capture_output=True, text=True, env=environment(), timeout=PATIENCE_S)
    assert done.returncode == 2 and named in done.stderr and not done.stdout


def test_nobody_is_there(new_bench, new_minuted, redis):
    minuted = new_minuted(redis)
    found = new_bench(minuted).run("--load", "max:1s", "--warmup", "0s")
    assert found.status == 1 and found.result is None
    assert f"no session could be opened at 127.0.0.1:{minuted.port}: there was no answer" in found.said
    found = new_bench(minuted).run(*PLAIN, "--load", "20:1s", "--drain", "100ms")
    assert found.status == 1 and found.void == "no request was answered"
    assert found.counts["offered"] == 20 <= found.counts["failed"]
    found = new_bench(minuted).run(*PLAIN, "--load", "20:1s", "--idle", 5)
    assert found.status == 1 and "--idle 5: only 0 of these connections" in found.said


def test_what_was_never_sent_has_failed(bench, target):
    """The daemon stands still until nobody waits any longer: every arrival is accounted for all the same."""
    bench.begin(*PLAIN, "--load", "300:1s", "--drain", "300ms", "--timeout", "1m")
    wait_loaded(bench, target)
    with standing_still(target):
        found = bench.end()
    counts = found.counts
    assert counts["offered"] == 300 and counts["refused"] == 0
    assert found.result["latency_us"]["n"] + counts["failed"] == 300 and counts["failed"] > 0


def test_an_interrupt_makes_it_void(bench, target):
    bench.begin(*PLAIN, "--load", "50:60s")
    wait_loaded(bench, target)
    bench.signal(signal.SIGINT)
    found = bench.end()
    assert found.status == 1 and found.void == "the load was interrupted"
    assert found.hgrm and found.html and found.counts["answered"] > 0
    assert "interrupted" in found.said


@contextmanager
def standing_still(service):
    service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.signal(signal.SIGCONT)


def test_latency_counts_from_when_a_request_was_due(bench, target):
    """A server that stands still is not excused from the requests that nobody could send meanwhile."""
    bench.begin(*PLAIN, "--load", "300:2s", "--players", 2000, "--drain", "20s")
    wait_loaded(bench, target)
    with standing_still(target):
        time.sleep(0.8)  # sleeps: it stands still; after a second it would rather refuse what waits
    found = bench.end()
    assert found.total("offered") == found.total("answered") == 600
    assert found.result["latency_us"]["max"] >= 0.75 * SECOND_US
    assert found.slower_than(0.4 * SECOND_US) >= 90  # half of those that came meanwhile are 120; eight connections


def test_a_redis_that_pauses_is_told(bench, target, shared_redis):
    bench.begin(*PLAIN, "--load", "200:3s", "--players", 2000, "--connections", 300, "--drain", "500ms")
    wait_loaded(bench, target)
    with standing_still(shared_redis):
        time.sleep(2)  # sleeps: Redis pauses for so long while the load goes on
    found = bench.end()
    assert found.counts["refused"] > 0 or found.result["metrics"]["p99"] >= SECOND_US
    assert found.counts["rejected"] == 0


# --- whether it all came out --------------------------------------------------------------------

def test_the_embedded_broker_cannot_be_verified(bench):
    found = bench.run(*PLAIN, "--load", "20:1s", "--verify")
    assert found.status == 1 and "--verify" in found.said and "embedded" in found.said
    assert found.result is None


def test_nothing_is_lost_when_the_daemon_is_killed(new_bench, new_minuted, kafka, redis):
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start()
    bench = new_bench(minuted).begin(
        "--load", "150:2s", "--warmup", "0s", "--interval", "4s", "--connections", 16, "--drain", "30s", "--pauses",
        "30%", "--seeks", "30%", "--resends", "1%", "--verify", "--verify-wait", "30s", "--assert", "lost==0,extra==0")
    wait_loaded(bench, minuted)
    minuted.kill()
    redis.client.delete("minuted:publisher")  # the lease of the dead, which would be waited for
    time.sleep(0.3)  # sleeps: the daemon stays away for so long while the load goes on
    minuted.start()
    found = bench.end()
    assert found.good, found.said
    verification = found.result["verification"]
    assert verification["problem"] is None and verification["lost_s"] == verification["extra_s"] == 0
    assert verification["expected_s"] == verification["redis_s"] == verification["kafka_s"] > 0
    assert found.counts["failed"] > 0


def clear_a_second(client):
    """Takes a watched second out of a mask; daemon/store/values.h says how it is laid out."""
    for key in client.scan_iter(match="minuted:*:w:*"):
        for learner, value in client.hgetall(key).items():
            changed = bytearray(value)
            for at in range(2 + value[1], len(value)):
                if value[at]:
                    changed[at] &= value[at] - 1  # without its lowest bit
                    client.hset(key, learner, bytes(changed))
                    return True
    return False


def test_a_second_that_is_gone_is_found_missing(new_bench, new_minuted, kafka, redis):
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start()
    bench = new_bench(minuted).begin(*PLAIN, "--load", "20:1s", "--players", 200, "--interval", "5s", "--verify",
                                     "--verify-wait", "2s", "--assert", "lost==0")
    wait_loaded(bench, minuted)
    assert clear_a_second(redis.client)
    found = bench.end()
    assert found.status == 1 and re.search(r"NOT MET +lost==0", found.said)
    verification = found.result["verification"]
    assert verification["problem"] is None and verification["lost_s"] >= 1
    assert verification["redis_s"] == verification["expected_s"] - 1
