"""Redis or Kafka lost what it had. Whoever publishes afterwards sees that, also if nobody was there when it happened: it says
which of them has lost what, publishes nothing that would be less than what Kafka has, and claims no completeness."""

import re
import shutil

import pytest
from confluent_kafka import Producer
from harness.agreement import check_published, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import run_minuted
from harness.model import Model
from harness.player import Player, run, watch
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, WATERMARKS, Merged, end_offsets, rank, read_topics, watermarks
from harness.service import PATIENCE_S, wait_until

GRACE_PASSED_MS = 5 * MINUTE_MS
PARTITIONS = 16


def watch_all(minuted, model, learners, lesson="open-1", seconds=20):
    for learner in learners:
        watch(minuted, model, learner, lesson, seconds)


CROWD = [f"teacher-{i}" for i in range(40)]


@pytest.fixture
def published(kafka, new_minuted, redis):
    """A daemon whose learners are in every partition, and all of it is in Kafka."""
    minuted, model = new_minuted(redis, kafka.brokers).start(NOW_MS), Model()
    watch_all(minuted, model, CROWD)
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    return minuted, model


def restart_with(redis, files):
    """Redis comes back with FILES, a copy of what it held earlier; None: with nothing."""
    redis.kill()
    shutil.rmtree(redis.directory / "appendonlydir")
    if files is not None:
        shutil.copytree(files, redis.directory / "appendonlydir")
    redis.start()


def copy_of(redis, folder):
    redis.kill()
    shutil.copytree(redis.directory / "appendonlydir", folder)
    redis.start()
    return folder


def lost(minuted):
    return minuted.metric("minuted_lost_partitions")


def published_through(kafka):
    return watermarks(read_topics(kafka.brokers, (WATERMARKS,)))[-1]["published_through"]


def never_falls(kafka):
    """Whether no total that was published is less than the one before it."""
    greatest = {}
    for record in read_topics(kafka.brokers, (LEARNER_LESSONS,)):
        before = greatest.get(record.key, record.value)
        if rank(record.value) < rank(before):
            return False
        greatest[record.key] = record.value
    return True


def check_it_waits(kafka, minuted, how, partitions):
    """It says what was lost, publishes nothing of it, and heartbeats go on."""
    wait_until(lambda: lost(minuted) == partitions, "it is seen")
    log = minuted.log_text()
    told = re.findall(r"event=redis_partitions_lost lost=(\w+) partitions=([\d,]+) ", log)
    assert [lost for lost, _ in told] == [how] and len(told[0][1].split(",")) == partitions
    wait_until(lambda: f"{partitions} partitions of Redis lost what they held" in minuted.readyz()[1], "it is shown")
    before = published_through(kafka)
    records = len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES)))
    watch_all(minuted, Model(), CROWD[:8], "open-2", 7)
    minuted.advance(GRACE_PASSED_MS)
    wait_until(lambda: len(watermarks(read_topics(kafka.brokers, (WATERMARKS,)))[-1].get("held_by", [])) == partitions,
               "the watermark says which partitions hold it", every=0.5)
    assert published_through(kafka) == before
    if partitions == PARTITIONS:
        assert len(read_topics(kafka.brokers, (LEARNER_LESSONS, LEARNER_MINUTES))) == records
    assert never_falls(kafka)


def test_a_restored_backup_is_noticed_by_the_next_daemon(published, kafka, new_minuted, redis, tmp_path):
    minuted, model = published
    backup = copy_of(redis, tmp_path / "backup")
    minuted.wait_connected()
    watch_all(minuted, model, CROWD, "open-3", 11)
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    now_ms = minuted.now_ms()
    minuted.stop()
    restart_with(redis, backup)
    check_it_waits(kafka, new_minuted(redis, kafka.brokers, "next").start(now_ms), "rolled_back", PARTITIONS)


def test_an_empty_redis_is_noticed_by_the_next_daemon(published, kafka, new_minuted, redis):
    minuted, _ = published
    minuted.stop()
    restart_with(redis, None)
    following = new_minuted(redis, kafka.brokers, "next").start(NOW_MS + 20 * MINUTE_MS)
    check_it_waits(kafka, following, "empty", PARTITIONS)
    following.stop()
    again = new_minuted(redis, kafka.brokers, "again").start(NOW_MS + 40 * MINUTE_MS)
    wait_until(lambda: lost(again) == PARTITIONS, "it stands")
    assert "event=redis_partitions_lost" not in again.log_text(), "it was told"


def test_a_redis_that_is_emptied_is_noticed_at_once(published, kafka, redis):
    minuted, _ = published
    redis.client.flushall()
    check_it_waits(kafka, minuted, "empty", PARTITIONS)


def test_one_partition_holds_up_no_other(published, kafka, redis):
    minuted, _ = published
    keys = [key for key in redis.client.keys("minuted:*:epoch")]
    taken = redis.client.hget(keys[0], "taken")
    redis.client.hset(keys[0], "taken", int(taken) - 1)
    check_it_waits(kafka, minuted, "rolled_back", 1)
    model = Model()
    watch_all(minuted, model, CROWD, "open-3", 9)
    minuted.advance(GRACE_PASSED_MS)

    def came():
        return sum(v["lesson_id"] == "open-3" for v in (r.value for r in read_topics(kafka.brokers, (LEARNER_MINUTES,))))
    wait_until(lambda: came() > len(CROWD) / 2, "the other partitions are published", every=0.5)


def test_the_redis_of_another_deployment_takes_no_heartbeats(published, kafka, redis):
    minuted, _ = published
    for key in redis.client.keys("minuted:*:epoch"):
        redis.client.hset(key, "id", int(redis.client.hget(key, "id")) + 1)
    wait_until(lambda: lost(minuted) == PARTITIONS, "it is seen")
    assert " lost=foreign " in minuted.log_text()
    player = Player(minuted, "teacher-1")
    session = player.open("open-2")
    minuted.advance(MINUTE_MS)
    answer = player.post_once(session.heartbeat(run(0, 5000)))
    assert answer.status == 503 or [r["status"] for r in answer.json()["results"]] == ["retry"]


def test_topics_that_were_made_again_are_noticed(published, kafka, new_minuted, redis):
    minuted, model = published
    minuted.stop()
    kafka.delete_topics()
    code, output = run_minuted("--config", minuted.config_path, "--create-topics")
    assert code == 0, output
    following = new_minuted(redis, kafka.brokers, "next").start(NOW_MS + 20 * MINUTE_MS)
    wait_until(lambda: following.metric("minuted_kafka_lost") == 1, "it is seen")
    assert following.log_text().count("event=kafka_lost") == 1
    wait_until(lambda: "see minuted --republish" in following.readyz()[1], "it is shown")
    watch_all(following, model, CROWD[:3], "open-2", 6)
    following.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)
    assert watermarks(read_topics(kafka.brokers, (WATERMARKS,))) == [], "nothing claims to be complete"
    floors = {key: redis.client.get(key) for key in redis.client.keys("minuted:*:floor")}
    following.stop()

    again = new_minuted(redis, kafka.brokers, "again").start(NOW_MS + 26 * 60 * MINUTE_MS)
    wait_until(lambda: again.metric("minuted_kafka_lost") == 1, "it stands, although Kafka was told since")
    redis.wait_asked("minuted:publisher", times=3)
    assert {key: redis.client.get(key) for key in redis.client.keys("minuted:*:floor")} == floors, "nothing is retired"
    code, output = run_minuted("--config", again.config_path, "--dev", "--republish")
    assert code == 0, output
    wait_until(lambda: again.metric("minuted_kafka_lost") == 0, "it is over")
    merged = Merged(read_topics(kafka.brokers))
    assert merged.totals_from_masks() == model.totals() == merged.totals
    wait_until(lambda: watermarks(read_topics(kafka.brokers, (WATERMARKS,))), "the watermark goes on", every=0.5)


def test_a_kafka_that_is_away_has_not_lost_anything(published, new_minuted, redis):
    """The daemon does not know yet what Kafka was told."""
    minuted, _ = published
    minuted.stop()
    following = new_minuted(redis, "127.0.0.1:1", "next").start(NOW_MS + 20 * MINUTE_MS)
    wait_until(lambda: following.log_text().count("event=publish_failed") == 2, "it has tried again")
    assert following.metric("minuted_kafka_lost") == lost(following) == 0
    assert "event=kafka_lost" not in following.log_text()


def times_connected(minuted):
    return minuted.log_text().count("event=publishing ")


def test_a_daemon_that_stood_still_reads_again_what_kafka_was_told(published, kafka, new_minuted, redis):
    """Meanwhile another one has published, and ended, so that the lease is free again."""
    minuted, model = published
    connected = times_connected(minuted)
    with minuted.paused():
        other = new_minuted(redis, kafka.brokers, "other").start(NOW_MS + 20 * MINUTE_MS)
        wait_until(lambda: times_connected(other) == 1, "the lease has run out, and the other one publishes")
        watch_all(other, model, CROWD, "open-2", 9)
        other.advance(GRACE_PASSED_MS)
        check_published(model, redis.client, kafka.brokers)
        other.stop()
    minuted.set_clock(NOW_MS + 60 * MINUTE_MS)
    wait_until(lambda: times_connected(minuted) > connected, "it publishes again")
    watch_all(minuted, model, CROWD[:3], "open-3", 7)
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    assert "event=kafka_lost" not in minuted.log_text() and minuted.metric("minuted_kafka_lost") == 0


def test_another_deployments_transaction_hides_nothing(published, kafka, new_minuted, redis):
    """It began before the last commit, and is open while the next daemon reads what Kafka was told."""
    minuted, model = published
    other = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": "another deployment"})
    other.init_transactions(PATIENCE_S)
    other.begin_transaction()
    for _, partition in end_offsets(kafka.brokers, (WATERMARKS,)):
        other.produce(WATERMARKS, "another deployment's", "key", partition=partition)
    other.flush(PATIENCE_S)
    watch_all(minuted, model, CROWD, "open-2", 9)
    minuted.advance(GRACE_PASSED_MS)
    wait_settled(redis.client)
    now_ms = minuted.now_ms()
    minuted.stop()
    following = new_minuted(redis, kafka.brokers, "next").start(now_ms)
    wait_until(lambda: "Kafka does not tell what it was told" in following.log_text() or times_connected(following), "it has read")
    other.abort_transaction(PATIENCE_S)
    wait_until(lambda: times_connected(following), "it publishes")
    watch_all(following, model, CROWD[:3], "open-3", 7)
    following.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    assert "event=kafka_lost" not in following.log_text()


def test_a_redis_that_promises_nothing_goes_on_in_a_new_epoch(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, changes={"redis": {"durability": "memory"}}).start(NOW_MS)
    model = Model()
    watch_all(minuted, model, CROWD[:5], "open-1", 20)
    minuted.advance(GRACE_PASSED_MS)
    check_published(model, redis.client, kafka.brokers)
    redis.client.flushall()
    wait_until(lambda: "event=epoch_renewed" in minuted.log_text(), "it is seen")
    minuted.wait_connected()
    watch_all(minuted, Model(), CROWD[:5], "open-2", 6)
    minuted.advance(GRACE_PASSED_MS)
    wait_until(lambda: sum(r.value["lesson_id"] == "open-2" for r in read_topics(kafka.brokers, (LEARNER_LESSONS,))) == 5,
               "it publishes on", every=0.5)
    assert lost(minuted) == 0
