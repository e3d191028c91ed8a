"""What all daemons of a Redis must agree on: who differs is not let in, and is told why."""

from harness.catalog import CATALOG, MINUTE_MS, NOW_MS
from harness.player import Player, accepted, run
from harness.service import wait_until

NEW_COURSE = "  - {id: new, hours: 1, lessons: [{id: new-1}]}\n"


def settings(redis):
    return {field.decode(): value.decode() for field, value in redis.client.hgetall("minuted:settings").items()}


def watch(minuted, learner, seconds=10):
    player = Player(minuted, learner)
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, seconds * 1000)) == [accepted(seconds)]
    return player


# --- what keeps a daemon from starting ------------------------------------------------------------

def refusal(minuted, redis):
    """What it says when it ends at once."""
    minuted.launch()
    assert minuted.wait_exit() == 1
    lines = [line for line in minuted.log_text().splitlines() if "event=start_failed" in line]
    assert lines and f"redis server {redis.address}: " in lines[-1], minuted.log_text()
    return lines[-1]


def test_another_deployment_is_refused(new_minuted, redis):
    """Also with other brokers: it would take the lease, and what it took would be in a Kafka where nobody looks."""
    first = new_minuted(redis, changes={"kafka": {"deployment": "winter-2023"}}).start(NOW_MS)
    other = new_minuted(redis, "127.0.0.1:1", "other", {"kafka": {"deployment": "depoly"}})
    assert ("was first used with kafka.deployment = winter-2023, this daemon is configured with depoly: "
            "use that name, or another Redis") in refusal(other, redis)
    assert settings(redis)["deployment"] == "winter-2023"
    watch(first, "teacher-1")
    first.stop()
    refusal(other, redis)
    new_minuted(redis, name="same", changes={"kafka": {"deployment": "winter-2023"}}).start()


def with_program(minuted, program, more=""):
    catalog = minuted.file("catalog.yaml", CATALOG.replace("program: integration", f"program: {program}") + more)
    return minuted.change({"catalog": str(catalog)})


def test_another_program_is_refused(new_minuted, redis):
    first = new_minuted(redis).start(NOW_MS)
    other = with_program(new_minuted(redis, name="other"), "autumn")
    assert ("was first used with program = integration, this daemon is configured with autumn: "
            "end the old program first, or use another Redis") in refusal(other, redis)
    assert settings(redis)["program"] == "integration"
    watch(first, "teacher-1")


def test_a_daemon_that_came_before_its_redis_counts_nothing(new_minuted, redis):
    """It has started by then, and stays; the deployment goes on without it."""
    first = new_minuted(redis, changes={"kafka": {"deployment": "winter-2023"}}).start(NOW_MS)
    redis.kill()
    other = new_minuted(redis, name="other", changes={"kafka": {"deployment": "depoly"}}).launch()
    wait_until(other.is_live, "it has started without Redis")
    other.set_clock(NOW_MS + MINUTE_MS)
    redis.start()
    wait_until(lambda: "this daemon is configured with depoly" in other.readyz()[1], "it says what is wrong")
    wait_until(first.is_ready, "the first one has Redis back")
    player = watch(first, "teacher-1")
    assert not other.is_ready()
    assert Player(other, "teacher-1").post_once(player.open("open-2").heartbeat(run(0, 1000))).status == 503
    assert other.metric("minuted_publish_holds_lease") == 0


def test_a_reload_keeps_the_program(new_minuted, redis):
    minuted = with_program(new_minuted(redis), "integration").start(NOW_MS)
    player = watch(minuted, "teacher-1")
    with_program(minuted, "autumn", NEW_COURSE)
    minuted.reload()
    failed = [line for line in minuted.log_text().splitlines() if "event=reload_failed" in line]
    assert len(failed) == 1 and "program is autumn now, this daemon counts for integration" in failed[0], failed
    assert "event=reloaded" not in minuted.log_text()
    assert player.try_open("new-1").status == 404
    assert player.try_open("open-1").status == 201
    with_program(minuted, "integration", NEW_COURSE)
    minuted.reload()
    assert player.try_open("new-1").status == 201
