"""Random lives of a deployment: learners watch, Redis is restored from a backup or comes back empty, topics are deleted, and the
way back is gone while learners watch on. Afterwards Redis and Kafka agree with plain sets, to the second.

What a loss takes for certain is what was accepted after the backup, or at all, and was not yet in Kafka: the sets know it from
Kafka's evidence at the moment of the loss. SEEDS names other lives: `SEEDS=7,8,9 pytest tests/chaos/test_ways_back.py`.
"""

import os
import random
import shutil
import subprocess

import pytest
from harness.agreement import check_no_second_twice, wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import MINUTED, run_minuted
from harness.model import claimed_seconds
from harness.player import Player, run
from harness.records import LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, WATERMARKS, Merged, read_topics, watermarks
from harness.redis_truth import Truth
from harness.service import PATIENCE_S, environment, wait_until

HOUR_MS = 60 * MINUTE_MS
GRACE_PASSED_MS = 5 * MINUTE_MS
LESSONS = ("open-1", "open-2", "open-3")
LEARNERS = 24
CHANGES = {"heartbeats": {"horizon": "2h"}, "redis": {"partitions": 4}}
SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1,2,3,4").split(",")]


class Deployment:
    def __init__(self, chance, kafka, redis, daemon):
        self.chance, self.kafka, self.redis, self.daemon = chance, kafka, redis, daemon
        self.now_ms = NOW_MS
        self.minuted = None
        self.seconds = {}  # (learner, second) -> lesson, of what was accepted and is not lost for certain
        self.backup = None  # a folder, and the seconds that were in it

    def start(self):
        self.minuted = self.daemon().start(self.now_ms)
        self.minuted.wait_connected()

    def stop(self):
        self.now_ms = self.minuted.now_ms()
        self.minuted.stop()

    # -- what learners do --

    def watch(self, n):
        """N learners watch, one after another; a few send what they have sent before, which counts once."""
        for _ in range(n):
            learner, lesson = f"teacher-{self.chance.randrange(LEARNERS)}", self.chance.choice(LESSONS)
            player = Player(self.minuted, learner)
            session = player.open(lesson)
            length = self.chance.choice((5, 20, 61, 130))
            self.minuted.advance(length * 1000 + 1000)
            sent = run(0, length * 1000)
            for _ in range(self.chance.choice((1, 1, 1, 2))):
                results = player.send(session, sent)
                assert [r["status"] for r in results] == ["accepted"], results
            for second in claimed_seconds(session.anchor_ms, sent):
                self.seconds.setdefault((f"{player.portal}/{learner}", second), lesson)

    def publish(self):
        self.minuted.advance(GRACE_PASSED_MS)
        wait_settled(self.redis.client)

    # -- what happens to Redis and Kafka --

    def in_kafka(self):
        return seconds_of(Merged(read_topics(self.kafka.brokers, (LEARNER_MINUTES,))).minutes())

    def back_up(self, folder):
        self.redis.kill()
        shutil.copytree(self.redis.directory / "appendonlydir", folder)
        self.redis.start()
        self.minuted.wait_connected()
        self.backup = folder, dict(self.seconds)

    def lose(self, with_daemon):
        """Redis comes back from the backup, if there is one, else empty; the daemon runs meanwhile or is down."""
        if not with_daemon:
            self.stop()
        self.redis.kill()
        known = self.in_kafka()
        folder, held = self.backup or (None, {})
        assert all(self.seconds[key] == lesson for key, lesson in known.items() if key in self.seconds)
        self.seconds = {key: lesson for key, lesson in self.seconds.items() if key in known or key in held}
        shutil.rmtree(self.redis.directory / "appendonlydir")
        if folder is not None:
            shutil.copytree(folder, self.redis.directory / "appendonlydir")
        self.redis.start()
        if not with_daemon:
            self.start()
        self.minuted.wait_connected()
        if len(self.seconds) > len(held):
            wait_until(lambda: self.minuted.metric("minuted_lost_partitions") > 0, "the loss is seen")

    def lose_topics(self):
        self.stop()
        self.kafka.delete_topics()
        code, output = run_minuted("--config", self.minuted.config_path, "--create-topics")
        assert code == 0, output
        self.start()
        wait_until(lambda: self.minuted.metric("minuted_kafka_lost") == 1, "the loss is seen")

    # -- the ways back --

    def go_back(self, way):
        """Learners watch on until it is over; sometimes it is killed on the way and run again."""
        command = [MINUTED, "--config", self.minuted.config_path, "--dev", way]
        for last in (self.chance.random() < 0.5, True):
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()) as going:
                try:
                    self.watch(self.chance.randrange(1, 4))
                    output = going.communicate(timeout=PATIENCE_S)[0].decode() if last else ""
                finally:
                    going.kill()
            if last:
                assert going.returncode == 0, output
                return

    # -- what must be true --

    def check(self):
        self.publish()
        assert self.minuted.metric("minuted_lost_partitions") == 0 == self.minuted.metric("minuted_kafka_lost")
        truth, merged = Truth(self.redis.client), Merged(read_topics(self.kafka.brokers))
        check_no_second_twice(truth.minutes)
        assert seconds_of(merged.minutes()) == self.seconds
        held = seconds_of(truth.minutes)
        assert held == {key: lesson for key, lesson in self.seconds.items() if key in held}, "Redis has nothing else"
        totals = {}
        for (learner, _), lesson in self.seconds.items():
            totals[learner, lesson] = totals.get((learner, lesson), 0) + 1
        assert truth.totals == totals == merged.totals
        last = {(f"{r.value['portal']}/{r.value['learner_id']}", r.value["lesson_id"]): r.value["watched_seconds"]
                for r in merged.of_last(LEARNER_LESSONS)}
        assert last == totals
        for key, sums in truth.lesson_minutes.items():
            assert merged.lesson_minutes[key] == sums
        assert {r.topic for r in merged.records} == {LEARNER_LESSONS, LEARNER_MINUTES, LESSON_MINUTES, WATERMARKS}
        wait_until(lambda: not watermarks(read_topics(self.kafka.brokers, (WATERMARKS,)))[-1].get("held_by"),
                   "nothing holds the watermark", every=0.5)


def seconds_of(minutes):
    return {(learner, minute + second): lesson for (learner, lesson, minute), seconds in minutes.items() for second in seconds}


@pytest.mark.parametrize("seed", SEEDS)
def test_random_lives(kafka, new_minuted, redis, tmp_path, seed):
    chance = random.Random(seed)
    made = []

    def daemon():
        made.append(new_minuted(redis, kafka.brokers, f"minuted-{len(made)}", CHANGES))
        return made[-1]
    life = Deployment(chance, kafka, redis, daemon)
    life.start()
    life.watch(20)
    life.publish()
    for round in range(3):
        if chance.random() < 0.7:
            life.minuted.advance(chance.choice((1, 3)) * HOUR_MS)  # floors rise, and buckets are freed
            life.watch(6)
            life.publish()
        if chance.random() < 0.3:
            life.lose_topics()
            life.watch(3)
            life.go_back("--republish")
            # Redis has the evidence of its horizon alone, so what is older is only in totals from here on.
            held = seconds_of(Truth(redis.client).minutes)
            if held != life.seconds:
                return
        else:
            if chance.random() < 0.7:
                life.back_up(tmp_path / f"backup-{round}")
            life.watch(8)
            if chance.random() < 0.7:
                life.publish()
                life.watch(3)
            life.lose(with_daemon=chance.random() < 0.5)
            life.watch(4)
            life.go_back("--rebuild")
            life.backup = None  # Of before a rebuild it is another Redis's: test_epochs.py.
        life.check()
