"""What all daemons of a Redis must agree on: who differs is not let in, or does not publish; and is told why."""

import pytest

from harness.agreement import wait_settled
from harness.catalog import CATALOG, MINUTE_MS, NOW_MS, local_ms
from harness.daemon import run_minuted
from harness.player import Player, accepted, run
from harness.records import LEARNER_LESSONS, read_topics
from harness.redis_server import RedisServer
from harness.service import wait_until

RUNNING = {"publish": {"running_minutes": "1s"}}
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
            "minuted --begin-program ends the one before; or use another Redis") in refusal(other, redis)
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


def closing(minuted, day):
    """The catalog of a program whose only course ends with DAY."""
    courses = f"courses: [{{id: only, closes: {day}, hours: 1, lessons: [{{id: only-1}}]}}]\n"
    path = minuted.file("closing.yaml", CATALOG[:CATALOG.index("courses:")] + courses)
    return minuted.change({"catalog": str(path)})


def test_the_program_closes_as_the_catalog_that_was_read_last_says(new_minuted, redis):
    """Also where that one was corrected to end earlier, and where Redis has forgotten it."""
    def says(*day):
        wanted = str(local_ms(*day) // 1000)
        wait_until(lambda: settings(redis).get("program_closes") == wanted, f"it closes at {wanted}")
    first = closing(new_minuted(redis, name="first"), "2033-02-28").start(NOW_MS)
    says(2033, 3, 1)
    second = closing(new_minuted(redis, name="second"), "2023-02-28").start(NOW_MS)
    says(2023, 3, 1)
    closing(first, "2023-03-31")
    first.write_config()
    first.reload()
    says(2023, 4, 1)
    second.reload()
    says(2023, 3, 1)
    redis.client.hdel("minuted:settings", "program_closes")
    wait_until(lambda: "program_closes" in settings(redis), "somebody writes it again")


# --- what keeps it from publishing ----------------------------------------------------------------

def published(kafka):
    """learner -> watched seconds, as the last records say."""
    return {r.value["learner_id"]: r.value["watched_seconds"] for r in read_topics(kafka.brokers, (LEARNER_LESSONS,))}


def is_publishing(minuted):
    return "publisher: publishing" in minuted.readyz()[1]


@pytest.fixture
def another_kafka(new_minuted, services, tmp_path):
    """A Kafka with all topics that is not the deployment's: the embedded one of a daemon with a Redis of its own."""
    own_redis = RedisServer(tmp_path / "own-redis")
    services.append(own_redis)
    return new_minuted(own_redis.start(), name="another-kafka").start().brokers()


def other_prefix(kafka, new_minuted, another_kafka):
    changes = {"kafka": {"topic_prefix": "elsewhere"}}
    maker = new_minuted(brokers=kafka.brokers, name="create-elsewhere", changes=changes)
    code, output = run_minuted("--config", maker.write_config(), "--create-topics")
    assert code == 0, output
    return kafka.brokers, {**RUNNING, **changes}, ["kafka.topic_prefix = minuted,", "configured with elsewhere:"]


def other_brokers(kafka, new_minuted, another_kafka):
    return another_kafka, RUNNING, [f"kafka_cluster = {kafka.cluster_id},", "kafka.brokers lead to mockCluster"]


@pytest.mark.parametrize("differing", [other_prefix, other_brokers])
def test_who_would_publish_elsewhere_stands_by(kafka, new_minuted, redis, another_kafka, differing):
    brokers, changes, words = differing(kafka, new_minuted, another_kafka)
    right = new_minuted(redis, kafka.brokers, "right", RUNNING).start(NOW_MS)
    watch(right, "teacher-1")
    wait_settled(redis.client)
    right.stop()
    assert settings(redis)["topic_prefix"] == "minuted" and settings(redis)["kafka_cluster"] == kafka.cluster_id

    wrong = new_minuted(redis, brokers, "wrong", changes).start(NOW_MS + 5 * MINUTE_MS)
    wait_until(lambda: wrong.metric("minuted_kafka_is_another") == 1, "it has seen that this is another Kafka")
    watch(wrong, "teacher-2")
    status, text = wrong.readyz()
    assert status == 200, "readiness never depends on Kafka"
    assert [word for word in ["publisher: standing by: ", *words] if word not in text] == [], text

    def looked_again():
        return wrong.log_text().count("event=lease_given_up") >= 2
    wait_until(looked_again, "it has looked a second time")
    assert wrong.log_text().count("event=kafka_is_another") == 1
    assert wrong.metric("minuted_published_records_total") == 0
    assert "event=publishing" not in wrong.log_text()

    right = new_minuted(redis, kafka.brokers, "right-again", RUNNING).start(wrong.now_ms())
    wait_until(lambda: is_publishing(right), "the right one takes the lease")
    watch(right, "teacher-3")
    wait_settled(redis.client)
    assert published(kafka) == {"teacher-1": 10, "teacher-2": 10, "teacher-3": 10}
    assert wrong.metric("minuted_published_records_total") == 0
    assert [word for word in words if word not in wrong.readyz()[1]] == [], "it says so while another publishes"


def test_a_kafka_without_topics_decides_nothing(kafka, new_minuted, redis, another_kafka):
    lost = new_minuted(redis, another_kafka, "lost", {"kafka": {"topic_prefix": "nowhere"}}).start(NOW_MS)
    wait_until(lambda: "topic nowhere.learner-lessons is missing" in lost.readyz()[1], "it has looked for the topics")
    lost.stop()
    assert not {"topic_prefix", "kafka_cluster"} & set(settings(redis))
    minuted = new_minuted(redis, kafka.brokers, changes=RUNNING).start(NOW_MS)
    watch(minuted, "teacher-1")
    wait_settled(redis.client)
    assert published(kafka) == {"teacher-1": 10}


def test_an_embedded_kafka_may_be_another_at_each_start(new_minuted, redis):
    for name in ("first", "second"):
        minuted = new_minuted(redis, name=name, changes=RUNNING).start(NOW_MS)
        watch(minuted, name)
        wait_settled(redis.client)
        minuted.stop()
    assert settings(redis)["topic_prefix"] == "minuted" and "kafka_cluster" not in settings(redis)
