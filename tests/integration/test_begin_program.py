"""`minuted --begin-program`: one program after another on the same Redis, while daemons of both run."""

import signal
import subprocess
from datetime import datetime

import pytest

from harness.agreement import wait_settled
from harness.catalog import MINUTE_MS, ZONE, local_ms
from harness.daemon import MINUTED, run_minuted
from harness.player import Player, accepted, bearer, rejected, retry, run
from harness.records import LEARNER_LESSONS, WATERMARKS, read_topics
from harness.redis_server import RedisServer
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, environment, wait_until

CATALOG = """\
program: {program}
timezone: Asia/Shanghai
minutes_per_hour: 45
hours_max: 6
portals: [{{id: higher}}, {{id: basic}}]
courses:
  - {{id: {program}-course, {days}hours: 1, lessons: [{{id: {program}-1}}]}}
"""
BEFORE_MIDNIGHT_MS = int(datetime(2023, 1, 20, 23, 40, 0, 0, ZONE).timestamp() * 1000)
CLOSES_MS = local_ms(2023, 1, 21)
HORIZON_MS = 120 * MINUTE_MS
AT_LAST_MS = 60 * MINUTE_MS  # a bucket of floors, the grace, and some time
PARTITIONS = 2
CHANGES = {"heartbeats": {"horizon": "2h"}, "publish": {"running_minutes": "1s"}, "redis": {"partitions": PARTITIONS}}


def of_program(minuted, program, days=""):
    path = minuted.file("catalog.yaml", CATALOG.format(program=program, days=days))
    return minuted.change({"catalog": str(path)})


@pytest.fixture
def winter(new_minuted, redis, kafka):
    """A daemon of the old program, on the evening of its last day."""
    daemon = new_minuted(redis, kafka.brokers, "winter", CHANGES)
    return of_program(daemon, "winter", "closes: 2023-01-20, ").start(BEFORE_MIDNIGHT_MS)


@pytest.fixture
def spring(new_minuted, redis, kafka):
    """One of the next program, not started."""
    return of_program(new_minuted(redis, kafka.brokers, "spring", CHANGES), "spring")


def begin(minuted):
    return run_minuted("--config", minuted.write_config(), "--dev", "--begin-program")


def watch(minuted, lesson, seconds=90, learner="teacher-1"):
    player = Player(minuted, learner)
    session = player.open(lesson)
    minuted.advance(seconds * 1000)
    assert player.send(session, run(0, seconds * 1000)) == [accepted(seconds)]
    return session


def end_program(winter, redis):
    """Until nothing of it can change any more."""
    wait_settled(redis.client)
    winter.advance(CLOSES_MS - winter.now_ms() + HORIZON_MS + AT_LAST_MS)
    wait_until(lambda: int(redis.client.hget("minuted:watermarks", "final_through") or 0) >= CLOSES_MS / 1000,
               "final_through has passed the last day")


def progress_once(minuted, token):
    return minuted.client.get("/v1/progress", headers=bearer(token)).status


def settings(redis):
    return {field.decode(): value.decode() for field, value in redis.client.hgetall("minuted:settings").items()
            if field.startswith(b"program")}


def published(kafka):
    """(program, lesson) -> watched seconds of the last record of each key."""
    return {(r.value["program"], r.value["lesson_id"]): r.value["watched_seconds"]
            for r in read_topics(kafka.brokers, (LEARNER_LESSONS,))}


def test_one_program_after_another(kafka, redis, winter, spring):
    session = watch(winter, "winter-1")
    assert settings(redis) == {"program": "winter", "program_closes": str(CLOSES_MS // 1000)}
    code, output = begin(spring)
    assert code == 1 and "the last day of the program winter ends at 2023-01-20T16:00:00Z" in output, output
    assert settings(redis)["program"] == "winter"
    late = Player(winter, "teacher-2").open("winter-1")
    end_program(winter, redis)
    ask = Player(winter, "teacher-1").ask_progress(bearer(session.token))
    assert ask.json()["total"]["watched_seconds"] == 90, "the old program's totals can be seen until it ends"

    code, output = begin(spring)
    assert code == 0 and "done: " in output and "daemons of spring begin at 0" in output, output
    assert settings(redis) == {"program": "spring", "programs_ended": "winter"}
    assert Truth(redis.client).totals == {}
    wait_until(lambda: "program = spring, this daemon is configured with winter" in winter.readyz()[1], "it has seen")
    assert Player(winter, "teacher-1").post_once(session.heartbeat(run(95_000, 99_000))).status == 503
    assert progress_once(winter, session.token) == 503
    assert not winter.is_ready()

    spring.start(winter.now_ms())
    old, new = Player(spring, "teacher-2"), Player(spring, "teacher-1")
    assert old.send(late, run(0, 5_000)) == [rejected("lesson_closed")]
    assert progress_once(spring, late.token) == 401
    assert new.progress()["total"]["watched_seconds"] == 0
    watch(spring, "spring-1", 30)
    assert new.progress()["total"]["watched_seconds"] == 30
    wait_settled(redis.client)
    assert published(kafka) == {("winter", "winter-1"): 90, ("spring", "spring-1"): 30}
    assert settings(redis)["program_closes"] == "never"
    spring.advance(5 * MINUTE_MS)
    key = f"spring/{spring.config['kafka']['deployment']}"

    def watermark():
        return [r.value for r in read_topics(kafka.brokers, (WATERMARKS,)) if r.key == key]
    told = wait_until(watermark, "the new program's watermark")[0]
    assert CLOSES_MS / 1000 <= told["final_through"] <= told["published_through"]


def test_a_token_of_the_next_program_is_kept_until_it_begins(redis, winter, spring, new_minuted, services, tmp_path):
    """A daemon that already counts for it has opened the session: here one with a Redis of its own."""
    own_redis = RedisServer(tmp_path / "own-redis")
    services.append(own_redis)
    early = of_program(new_minuted(own_redis.start(), name="early", changes=CHANGES), "spring")
    watch(winter, "winter-1")
    end_program(winter, redis)
    session = Player(early.start(winter.now_ms()), "teacher-1").open("spring-1")
    for daemon in (winter, early):
        daemon.advance(10_000)
    old = Player(winter, "teacher-1")
    assert old.send(session, run(0, 10_000)) == [retry("lesson_unknown")]
    assert progress_once(winter, session.token) == 503
    code, output = begin(spring)
    assert code == 0, output
    assert old.post_once(session.heartbeat(run(0, 10_000))).status in (200, 503)
    spring.start(winter.now_ms())
    assert Player(spring, "teacher-1").send(session, run(0, 10_000)) == [accepted(10)]


def keys_of_old(redis):
    return sum(1 for _ in redis.client.scan_iter(match="minuted:{*:t:*", count=10_000))


def plant_totals(redis, n):
    """Further totals beside the one that TEMPLATE is."""
    template = next(redis.client.scan_iter(match="minuted:{*:t:*"))
    value, prefix = redis.client.dump(template), template.rsplit(b"/", 1)[0]
    pipeline = redis.client.pipeline(transaction=False)
    for i in range(n):
        pipeline.restore(prefix + b"/planted-%d" % i, 0, value)
    pipeline.execute()


def end_when(minuted, condition, what, number=signal.SIGKILL):
    """The command, ended in the middle: its exit code, and what it said."""
    command = [MINUTED, "--config", minuted.write_config(), "--dev", "--begin-program"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment()) as beginning:
        try:
            wait_until(condition, what, every=0.001)
            beginning.send_signal(number)
            output, _ = beginning.communicate(timeout=PATIENCE_S)
        finally:
            beginning.kill()
    return beginning.returncode, output


def test_interrupted_while_it_waits(redis, winter, spring):
    watch(winter, "winter-1")
    end_program(winter, redis)
    winter.stop()
    redis.client.set("minuted:publisher", "somebody")
    code, output = end_when(spring, lambda: "program_begins" in settings(redis), "it is marked", signal.SIGTERM)
    assert code == 1 and "run minuted --begin-program again" in output, output
    assert redis.client.get("minuted:publisher") == b"somebody" and keys_of_old(redis) == 1
    redis.client.delete("minuted:publisher")
    code, output = begin(spring)
    assert code == 0 and keys_of_old(redis) == 0, output
    assert redis.client.get("minuted:publisher") is None, "the next daemon need not wait for it"


def test_killed_in_the_middle(redis, winter, spring):
    watch(winter, "winter-1")
    end_program(winter, redis)
    plant_totals(redis, 50_000)
    end_when(spring, lambda: settings(redis).get("program_begins") == "closing:winter", "it is marked")
    wait_until(lambda: not winter.is_ready(), "the old daemon has seen it")

    spring.launch()
    wait_until(lambda: "has made room for the program spring" in spring.readyz()[1], "it says what it waits for")
    assert not spring.is_ready()
    for daemon in (winter, spring):
        assert progress_once(daemon, Player(daemon, "teacher-1").token) == 503

    end_when(spring, lambda: 0 < keys_of_old(redis) < 50_000, "some are deleted")
    assert settings(redis)["program_begins"] == "freeing:winter"
    assert not spring.is_ready()
    code, output = begin(spring)
    assert code == 0 and "Going on with what was begun before: winter ends, spring begins" in output, output
    wait_until(spring.is_ready, "the new daemon goes on by itself")
    spring.set_clock(winter.now_ms())
    watch(spring, "spring-1", 10)
    assert {name: total for (name, _), total in Truth(redis.client).totals.items()} == {"higher/teacher-1": 10}
    assert keys_of_old(redis) == 1
