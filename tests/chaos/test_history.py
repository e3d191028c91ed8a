"""Redis comes back: with its data nothing has happened; without it the daemons say that history is gone, and go on."""

import shutil
import time

import pytest
from harness.agreement import check_published, wait_settled
from harness.catalog import DAY_MS, MINUTE_MS, NOW_MS
from harness.ledger import Ledger
from harness.model import Model
from harness.player import Player, accepted, run
from harness.records import LEARNER_LESSONS, WATERMARKS, Merged, read_topics, watermarks
from harness.service import wait_until

GONE = "event=history_gone"


def restart_empty(redis):
    redis.kill()
    shutil.rmtree(redis.directory / "appendonlydir")
    redis.start()


def losses(minuted):
    return minuted.metric("minuted_redis_history_losses_total")


def wait_good(minuted):
    """A look that found the server's marks, and every worker connected anew."""
    wait_until(lambda: "[+] redis" in minuted.readyz()[1], "redis is checked")
    minuted.wait_connected()


def send_until_accepted(player, session, played):
    return wait_until(lambda: [r for r in player.post(session.heartbeat(played)).json()["results"]
                               if r["status"] == "accepted"], "the run is accepted")


def test_a_restart_with_data_is_no_loss(minuted, player, redis):
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 30_000)) == [accepted(30)]
    redis.restart()
    assert send_until_accepted(player, session, run(0, 30_000)) == [accepted(0, 30)]
    wait_good(minuted)
    assert losses(minuted) == 0
    assert GONE not in minuted.log_text()


def test_a_flush_is_told_by_every_daemon(new_minuted, redis):
    daemons = [new_minuted(redis, name=f"minuted-{i}").start(NOW_MS) for i in range(2)]
    for minuted in daemons:
        wait_good(minuted)
    redis.client.flushall()
    for minuted in daemons:
        minuted.wait_log(GONE)
        wait_until(lambda minuted=minuted: losses(minuted) == 16, "it is counted")
        assert "16 times a partition was found without its history" in minuted.readyz()[1]
    for minuted in daemons:
        assert minuted.log_text().count(GONE) == 1


@pytest.fixture
def emptied(kafka, new_minuted, redis):
    """A daemon whose learner has 30 published seconds of a minute, and whose Redis then came back empty."""
    minuted = new_minuted(redis, kafka.brokers).start(NOW_MS)
    player = Player(minuted, "teacher-1", "basic")
    session = player.open("open-1")
    minuted.advance(10 * MINUTE_MS)
    assert player.send(session, run(0, 30_000)) == [accepted(30)]
    model = Model()
    model.claim(session.name, "open-1", session.anchor_ms, run(0, 30_000))
    check_published(model, redis.client, kafka.brokers)
    restart_empty(redis)
    minuted.wait_log(GONE)
    return minuted, player, session


def test_an_empty_redis_is_told_and_heartbeats_go_on(emptied, kafka, redis, tmp_path, catalog):
    """What comes after is credited, and what Kafka had stays as it was: chaos/test_epochs.py has the rest."""
    minuted, player, session = emptied
    wait_until(lambda: losses(minuted) == 16, "it is counted")
    assert send_until_accepted(player, session, run(40_000, 55_000)) == [accepted(15)]
    assert send_until_accepted(player, session, run(0, 10_000)) == [accepted(10)]
    assert player.progress()["total"]["watched_seconds"] == 25
    minuted.advance(10 * MINUTE_MS)
    wait_until(lambda: minuted.metric("minuted_lost_partitions") > 0, "it is seen that Kafka has more")
    merged = Merged(read_topics(kafka.brokers))
    assert [r.value["watched_seconds"] for r in merged.of_last(LEARNER_LESSONS)] == [30]
    hours = Ledger(tmp_path / "ledger.db", kafka.brokers, catalog).follow().hours()
    assert hours["basic/teacher-1"]["courses"][0]["watched_seconds"] == 30


def test_watermarks_do_not_fall_with_history(kafka, new_minuted, redis):
    """The floor of a day ago and the stored watermarks are gone; what was said of them stands. The clock begins three
    days ago, since Kafka takes no record from the future."""
    minuted = new_minuted(redis, kafka.brokers).start(int(time.time() * 1000) - 3 * DAY_MS)

    def marks(name):
        return [value.get(name) for value in watermarks(read_topics(kafka.brokers, (WATERMARKS,)))]

    def send_everywhere():
        """A run in every partition, so that each has a floor."""
        for i in range(200):
            player = Player(minuted, f"teacher-{i}")
            send_until_accepted(player, player.open("open-2"), run(0, 1000))
    send_everywhere()
    minuted.advance(10 * MINUTE_MS)
    wait_settled(redis.client)
    minuted.advance(60 * MINUTE_MS)
    wait_until(lambda: marks("final_through")[-1] > 0, "the floor is known", every=0.5)
    restart_empty(redis)
    minuted.wait_log(GONE)
    minuted.set_clock(int(time.time() * 1000) + 10 * MINUTE_MS)
    wait_until(lambda: marks("held_by")[-1], "it is said that partitions hold them", every=0.5)
    for name in ("published_through", "final_through"):
        assert marks(name) == sorted(marks(name))
