"""`minuted --rebuild`: Redis has lost what it held, and gets back what the topics have of it."""

import shutil
import subprocess
import threading

import pytest
from confluent_kafka import Producer

from harness.agreement import check_kafka, check_last_records, check_no_second_twice, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import MINUTED, run_minuted
from harness.model import Model
from harness.player import Player, accepted, run, watch
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, Merged, read_topics
from harness.redis_truth import KEY, Truth
from harness.service import PATIENCE_S, environment, wait_until

HOUR_MS = 60 * MINUTE_MS
GRACE_PASSED_MS = 5 * MINUTE_MS
CROWD = 400
LESSONS = ("open-1", "open-2", "open-3")
CHANGES = {"heartbeats": {"horizon": "2h"}, "redis": {"partitions": 2}}


def watch_all(minuted, model, learners=range(12)):
    for i in learners:
        watch(minuted, model, f"teacher-{i}", LESSONS[i % 3], 70 + i)


def publish(minuted, redis):
    minuted.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)


def start_again(minuted, redis, now_ms):
    """Before its clock is set, it would publish and retire by this machine's: until then somebody else has the lease."""
    redis.client.set("minuted:publisher", "another")
    minuted.start(now_ms)
    redis.client.delete("minuted:publisher")


class Epochs:
    """What the daemon that publishes would find out and plant: which partitions have lost what they held."""

    def __init__(self, redis):
        self.client = redis.client
        self.prefixes = [key[:-len(b"epoch")].decode() for key in self.client.scan_iter(match="minuted:*:epoch")]
        self.told = {prefix: self.client.hmget(f"{prefix}epoch", "id", "taken") for prefix in self.prefixes}
        self.floor = int(self.client.hget("minuted:watermarks", "final_through")) // 60
        assert len(self.prefixes) == 2 and self.floor > 0

    def lose(self, lost, prefixes=None, slices=None):
        """SLICES: a run has found so many learners that it takes so many passes."""
        for prefix in prefixes or self.prefixes:
            kept = int(self.client.get(f"{prefix}floor") or self.floor)
            told_id, told_taken = self.told[prefix]
            self.client.hset(f"{prefix}epoch", mapping={"lost": lost, "told_id": told_id, "told_taken": told_taken,
                                                        "kept": kept})
            self.client.set(f"{prefix}floor", self.floor)
            if slices is not None:
                self.client.hset(f"{prefix}epoch", mapping={"slices": slices, "slice": 0})

    def check_ended(self):
        for prefix in self.prefixes:
            epoch = {k.decode(): v for k, v in self.client.hgetall(f"{prefix}epoch").items()}
            assert not epoch.keys() & {"lost", "told_id", "told_taken", "slice", "slices"}, epoch
            assert int(epoch["id"]) > int(self.told[prefix][0])
            assert epoch["replaced"] == self.told[prefix][0]
            assert not self.client.exists(f"{prefix}rebuilt")


def command(minuted):
    return [MINUTED, "--config", minuted.config_path, "--dev", "--rebuild"]


def rebuild(minuted):
    return run_minuted("--config", minuted.config_path, *(["--dev"] if minuted.dev else []), "--rebuild")


def rebuilt(minuted):
    code, output = rebuild(minuted)
    assert code == 0, output
    return output


def from_minute(minutes, floor):
    return {key: seconds for key, seconds in minutes.items() if key[2] >= floor * 60}


def check(model, redis, brokers, epochs):
    """Redis and Kafka hold what was accepted, to the second; Redis its masks and sums only from the floor on."""
    wait_settled(redis.client)
    truth = Truth(redis.client)
    floor = max(int(redis.client.get(f"{prefix}floor")) for prefix in epochs.prefixes)  # as high as while that was read
    assert truth.totals == model.totals()
    assert truth.covered == model.covered()
    assert from_minute(truth.minutes, floor) == from_minute(model.minutes(), floor)
    check_no_second_twice(truth.minutes)
    sums = {key: value for key, value in model.lesson_minutes().items() if key[1] >= floor * 60}
    assert {key: value for key, value in truth.lesson_minutes.items() if key[1] >= floor * 60} == sums
    merged = Merged(read_topics(brokers))
    check_kafka(model, merged)
    check_last_records(model, merged)
    last = {(r.value["lesson_id"], r.value["minute_start"]): (r.value["watched_seconds"], r.value["learners"])
            for r in merged.of_last(LESSON_MINUTES)}
    assert last == model.lesson_minutes()


def emptied(world, redis, slices=None):
    """The daemon and the model of WORLD, whose Redis came back empty while the daemon was down."""
    minuted, model = world
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty", slices=slices)
    start_again(minuted, redis, now_ms)
    return minuted, model, epochs


@pytest.fixture
def world(kafka, new_minuted, redis):
    """A deployment that has published for hours, whose oldest minutes Redis has retired; with its model."""
    minuted, model = new_minuted(redis, kafka.brokers, changes=CHANGES).start(NOW_MS), Model()
    watch_all(minuted, model)
    publish(minuted, redis)
    minuted.advance(5 * HOUR_MS)
    watch_all(minuted, model, range(3, 15))
    publish(minuted, redis)

    def oldest_gone():
        buckets = [int(m[1].split(b":")[1]) for m in map(KEY.fullmatch, redis.client.scan_iter(match="minuted:*:w:*")) if m]
        return min(buckets, default=0) * 600 > NOW_MS // 1000 + 3600
    wait_until(oldest_gone, "the first minutes are retired")
    return minuted, model


def test_a_redis_that_came_back_empty_gets_everything(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis)
    watch_all(minuted, model, range(8, 18))  # beside what was lost
    output = rebuilt(minuted)
    assert "done: " in output, output
    epochs.check_ended()
    watch_all(minuted, model, range(3))
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)
    assert "No partition" in rebuilt(minuted)


def test_a_redis_that_was_rolled_back_gets_what_came_since(world, redis, kafka, tmp_path):
    minuted, model = world
    redis.client.bgrewriteaof()
    shutil.copytree(redis.directory / "appendonlydir", tmp_path / "earlier")
    minuted.advance(2 * HOUR_MS)
    watch_all(minuted, model, range(10))
    publish(minuted, redis)
    minuted.advance(20 * MINUTE_MS)
    watch_all(minuted, model, range(6, 20))
    publish(minuted, redis)
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.kill()
    shutil.rmtree(redis.directory / "appendonlydir")
    shutil.copytree(tmp_path / "earlier", redis.directory / "appendonlydir")
    redis.start()
    assert Truth(redis.client).totals != model.totals()
    epochs.lose("rolled_back")
    start_again(minuted, redis, now_ms)
    watch_all(minuted, model, range(4, 9))
    rebuilt(minuted)
    epochs.check_ended()
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def watch_crowd(minuted, model):
    """More learners than are written at once watch at the same time."""
    players = [Player(minuted, f"crowd-{i}") for i in range(CROWD)]
    sessions = [(player, player.open("open-1")) for player in players]
    minuted.advance(MINUTE_MS)
    for player, session in sessions:
        credited = model.claim(session.name, "open-1", session.anchor_ms, run(0, 5000))
        assert player.send(session, run(0, 5000)) == [accepted(*credited)]


def test_passes_broken_off_again_and_again(world, redis, kafka):
    """Killed in the middle of a pass, it goes on there: nothing counts twice, and nothing is left out."""
    minuted, model = world
    watch_crowd(minuted, model)
    publish(minuted, redis)
    minuted.advance(3 * HOUR_MS)  # the crowd's seconds are from before what Redis keeps
    watch_all(minuted, model)
    publish(minuted, redis)
    wait_until(lambda: Epochs(redis).floor * 60_000 > minuted.now_ms() - 2 * HOUR_MS - 15 * MINUTE_MS, "minutes are retired")
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty", slices=3)
    start_again(minuted, redis, now_ms)

    def in_a_pass():
        return any(redis.client.scard(f"{prefix}rebuilt") > 20 for prefix in epochs.prefixes)
    broken_off = 0
    while broken_off < 3:
        with subprocess.Popen(command(minuted), stdout=subprocess.DEVNULL, env=environment()) as process:
            try:
                wait_until(lambda: in_a_pass() or process.poll() is not None, "it is in a pass", every=0)
            finally:
                process.kill()
        broken_off += in_a_pass()
        assert process.returncode != 0, "it came to its end before it could be killed"
        watch_all(minuted, model, range(2))
    rebuilt(minuted)
    epochs.check_ended()
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def test_players_go_on_meanwhile(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis, slices=60)
    with subprocess.Popen(command(minuted), stdout=subprocess.DEVNULL, env=environment()) as process:
        for _ in range(8):  # an hour at most, so that nothing is retired that is compared
            watch_all(minuted, model, range(6))
        assert process.wait(PATIENCE_S) == 0
    epochs.check_ended()
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def test_a_signal_ends_it_and_it_goes_on(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis, slices=60)
    with subprocess.Popen(command(minuted), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment()) as process:
        wait_until(lambda: int(redis.client.hget(f"{epochs.prefixes[0]}epoch", "slice")) > 3, "some passes are done", every=0)
        process.terminate()
        output = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 1 and "run this again to go on" in output, output
    assert int(redis.client.hget(f"{epochs.prefixes[0]}epoch", "slice")) > 3
    output = rebuilt(minuted)
    assert "pass 1 of 60 is next" not in output, output
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def test_a_connection_that_is_cut_does_not_end_it(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis, slices=60)
    with subprocess.Popen(command(minuted), stdout=subprocess.DEVNULL, env=environment()) as process:
        wait_until(lambda: int(redis.client.hget(f"{epochs.prefixes[0]}epoch", "slice") or 60) >= 2, "some passes are done", every=0)
        redis.client.client_kill_filter(_type="normal")
        assert process.wait(PATIENCE_S) == 0
    epochs.check_ended()
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def test_of_two_the_younger_goes_on(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis, slices=40)
    results = []
    threads = [threading.Thread(target=lambda: results.append(rebuild(minuted))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(code for code, _ in results) == [0, 1], results
    assert any(code == 1 and "another process" in output for code, output in results), results
    epochs.check_ended()
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def test_the_topics_win_a_contested_second(world, redis, kafka):
    minuted, model = world
    player = Player(minuted, "contested")
    first, second = player.open("open-1"), player.open("open-2")
    minuted.advance(100_000)
    model.claim(first.name, "open-1", first.anchor_ms, run(0, 50_000))
    assert player.send(first, run(0, 50_000)) == [accepted(50)]
    publish(minuted, redis)
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty")
    start_again(minuted, redis, now_ms)
    assert Player(minuted, "contested").send(second, run(0, 90_000)) == [accepted(90)]
    # Redis knew no better. What both lessons have now belongs to the one that was published first.
    credited, _, contested = model.claim(second.name, "open-2", second.anchor_ms, run(0, 90_000))
    assert contested > 40 and credited + contested == 90
    assert f"{contested} seconds were another lesson's" in rebuilt(minuted)
    publish(minuted, redis)
    truth, merged = Truth(redis.client), Merged(read_topics(kafka.brokers))
    assert truth.totals == merged.totals == merged.totals_from_masks() == model.totals()
    assert from_minute(truth.minutes, epochs.floor) == from_minute(model.minutes(), epochs.floor)
    assert merged.minutes() == model.minutes() and merged.lesson_minutes == model.lesson_minutes()


def test_records_that_are_nobodys_are_passed_over(world, redis, kafka):
    minuted, model = world
    mine = next(r for r in read_topics(kafka.brokers, (LEARNER_MINUTES,)))
    writer = Producer({"bootstrap.servers": kafka.brokers})
    headers = {"content-type": "application/json"}
    foreign = ('{"program":"another","portal":"higher","learner_id":"teacher-1","course_id":"open","lesson_id":"open-1",'
               f'"minute_start":{mine.value["minute_start"] + 6000},"seconds_mask":"00000000000000f","watched_seconds":4}}')
    key = f"{mine.value['minute_start'] + 6000}/another/higher/open-1/teacher-1"
    writer.produce(LEARNER_MINUTES, foreign, key, headers=headers)
    writer.produce(LEARNER_MINUTES, foreign.replace("another", "integration"), "wrong key", headers=headers)
    writer.produce(LEARNER_MINUTES, b"\xff\xff", mine.key)
    writer.produce(LEARNER_LESSONS, b"garbage", "a key", headers=headers)
    writer.flush(PATIENCE_S)
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty")
    start_again(minuted, redis, now_ms)
    output = rebuilt(minuted)
    assert "3 records were passed over as malformed, 1 of other programs" in output, output
    truth = Truth(redis.client)
    assert truth.totals == model.totals()


def test_an_erased_learner_stays_erased(world, redis, kafka):
    minuted, model = world
    writer = Producer({"bootstrap.servers": kafka.brokers})
    for record in read_topics(kafka.brokers, (LEARNER_MINUTES, LEARNER_LESSONS)):
        if record.value["learner_id"] == "teacher-5":
            writer.produce(record.topic, None, record.key, partition=record.partition)
    writer.flush(PATIENCE_S)
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty")
    start_again(minuted, redis, now_ms)
    rebuilt(minuted)
    assert Truth(redis.client).totals == {k: n for k, n in model.totals().items() if k[0] != "higher/teacher-5"}


def test_what_is_older_than_the_evidence_is_taken_from_totals(world, redis, kafka):
    minuted, model = world
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    redis.client.flushall()
    epochs.lose("empty")
    kafka.admin.delete_topics([LEARNER_MINUTES], operation_timeout=PATIENCE_S)
    wait_until(lambda: LEARNER_MINUTES not in kafka.topic_names(), "the topic is gone")
    code, output = run_minuted("--config", minuted.config_path, "--create-topics")
    assert code == 0, output
    start_again(minuted, redis, now_ms)
    watch_all(minuted, model, range(8, 18))
    output = rebuilt(minuted)
    assert "have no evidence in the topics any more" in output, output
    assert Truth(redis.client).totals == model.totals()
    assert Truth(redis.client).covered == model.covered()


def test_a_full_redis_is_said_and_nothing_is_lost(world, redis, kafka):
    minuted, model, epochs = emptied(world, redis)
    redis.client.config_set("maxmemory", "1mb")
    code, output = rebuild(minuted)
    assert code == 1 and "maxmemory" in output, output
    redis.client.config_set("maxmemory", "0")
    wait_until(minuted.is_ready, "it takes runs again")
    rebuilt(minuted)
    epochs.check_ended()
    watch_all(minuted, model, range(3))
    publish(minuted, redis)
    check(model, redis, kafka.brokers, epochs)


def dirty_learners(redis):
    return {name for key in redis.client.scan_iter(match="minuted:*:d:*") for name in redis.client.smembers(key)}


def totals_told(brokers, learner):
    return [r.value for r in read_topics(brokers, (LEARNER_LESSONS,)) if r.value["learner_id"] == learner]


@pytest.mark.parametrize("lost", ["empty", "rolled_back"])
def test_one_unreadable_learner_holds_up_nobody_else(world, redis, kafka, lost):
    """It is restored once its values are mended or deleted, and until then nothing of it is published."""
    minuted, model = world
    epochs, now_ms = Epochs(redis), minuted.now_ms()
    minuted.stop()
    if lost == "empty":
        redis.client.flushall()
    epochs.lose(lost)
    for prefix in epochs.prefixes:
        redis.client.hset(f"{prefix}t:higher/teacher-3", LESSONS[0], "spoiled")
    start_again(minuted, redis, now_ms)
    watch(minuted, model, "teacher-3", LESSONS[1])
    code, output = rebuild(minuted)
    assert code == 1 and "higher/teacher-3 cannot be restored" in output and "1 learners could not" in output, output
    epochs.check_ended()
    code, output = rebuild(minuted)
    assert code == 1 and "1 learners could not" in output, output

    for prefix in epochs.prefixes:
        redis.client.hdel(f"{prefix}t:higher/teacher-3", LESSONS[0])
    told = totals_told(kafka.brokers, "teacher-3")
    watch_all(minuted, model, range(3))
    minuted.advance(3 * HOUR_MS)
    wait_until(lambda: dirty_learners(redis) == {b"higher/teacher-3"}, "the others are published")
    assert totals_told(kafka.brokers, "teacher-3") == told
    totals = {key: n for key, n in Truth(redis.client).totals.items() if key[0] != "higher/teacher-3"}
    assert totals == {key: n for key, n in model.totals().items() if key[0] != "higher/teacher-3"}

    for prefix in epochs.prefixes:
        redis.client.hset(f"{prefix}left_out", "higher/erased", "empty 0")  # of whom the topics have nothing
    rebuilt(minuted)
    assert not any(redis.client.exists(f"{prefix}left_out") for prefix in epochs.prefixes)
    check(model, redis, kafka.brokers, epochs)
    assert "No partition" in rebuilt(minuted)


def test_what_is_foreign_is_refused(world, redis):
    minuted, model = world
    epochs = Epochs(redis)
    epochs.lose("foreign")
    code, output = rebuild(minuted)
    assert code == 1 and "restore the right Redis" in output, output
    assert Truth(redis.client).totals == model.totals()
    epochs.lose("empty", epochs.prefixes[:1])
    code, output = rebuild(minuted)
    assert code == 1 and "is whole" in output, output


def test_without_a_daemon_that_compares_nothing_is_known(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers).start(NOW_MS)
    wait_until(lambda: redis.client.exists("minuted:publisher"), "it publishes")
    assert "No partition" in rebuilt(minuted)
    minuted.stop()
    code, output = rebuild(minuted)
    assert code == 1 and "no daemon publishes" in output, output


def test_it_says_why_it_cannot(new_minuted):
    minuted = new_minuted(brokers="127.0.0.1:1")
    code, output = run_minuted("--config", minuted.write_config(), "--dev", "--rebuild")
    assert code == 1 and "127.0.0.1:1" in output
