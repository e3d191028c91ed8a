"""minuted-ledger against a real Kafka: idempotent, applies the rules, explains a minute, and says what is wrong."""

import os

import pytest

from harness.agreement import wait_settled
from harness.catalog import MINUTE_MS, NOW_MS
from harness.ledger import Ledger, run_ledger
from harness.player import Player, accepted, run

COURSE_SECONDS = 45 * 60


@pytest.fixture
def minuted(kafka, new_minuted, redis):
    return new_minuted(redis, kafka.brokers).start(NOW_MS)


@pytest.fixture
def ledger(tmp_path, kafka, catalog):
    return Ledger(tmp_path / "ledger.db", kafka.brokers, catalog)


def watch(minuted, learner, lesson, seconds, portal="higher"):
    player = Player(minuted, learner, portal)
    session = player.open(lesson)
    minuted.advance(seconds * 1000)
    runs = [run(a, min(a + 600_000, seconds * 1000)) for a in range(0, seconds * 1000, 600_000)]
    assert sum(r["credited_seconds"] for r in player.send(session, *runs)) == seconds
    return session


def publish(minuted, redis):
    minuted.advance(5 * MINUTE_MS)
    wait_settled(redis.client)


def test_reading_everything_again_changes_nothing(minuted, redis, ledger):
    for i in range(5):
        watch(minuted, f"teacher-{i}", "open-1", 90 + i)
    publish(minuted, redis)
    first = ledger.follow().dump()
    assert first["learner_lessons"] and first["learner_minutes"] and first["lesson_minutes"]
    again = ledger.follow("--from-start").dump()
    for table in ("learner_lessons", "learner_minutes", "lesson_minutes"):
        assert again[table] == first[table]
    assert ledger.totals() == {(f"higher/teacher-{i}", "open-1"): 90 + i for i in range(5)}


def test_following_in_parts_is_following_at_once(minuted, redis, ledger, tmp_path, kafka, catalog):
    for i in range(3):
        watch(minuted, "teacher-1", f"open-{i + 1}", 100)
        publish(minuted, redis)
        ledger.follow()
    whole = Ledger(tmp_path / "whole.db", kafka.brokers, catalog).follow()
    assert ledger.totals() == whole.totals()
    assert ledger.dump()["learner_minutes"] == whole.dump()["learner_minutes"]


# --- hours --------------------------------------------------------------------------------------

def course_of(report, learner, course="open"):
    return next(c for c in report[learner]["courses"] if c["course_id"] == course)


def test_hours_come_whole_and_after_the_test(minuted, redis, ledger, tmp_path):
    watch(minuted, "done", "open-1", COURSE_SECONDS)
    watch(minuted, "short", "open-1", COURSE_SECONDS - 1)
    watch(minuted, "long", "open-1", COURSE_SECONDS + 600)
    publish(minuted, redis)
    ledger.follow()
    report = ledger.hours()
    assert course_of(report, "higher/done")["test_missing"] is True
    assert report["higher/done"]["hours_certified"] == 0

    passes = tmp_path / "passes.csv"
    passes.write_text("portal,learner,course\nhigher,done,open\nhigher,short,open\nhigher,long,open\n")
    report = ledger.hours("--passes", passes)
    assert report["higher/done"]["hours_certified"] == 1
    assert report["higher/long"]["hours_certified"] == 1, "time beyond the maximum is recorded, not certified"
    assert course_of(report, "higher/long")["watched_seconds"] == COURSE_SECONDS + 600
    assert report["higher/short"]["hours_certified"] == 0
    assert course_of(report, "higher/short")["missing_seconds"] == 1


def test_basic_education_certifies_hours_before_there_is_a_certificate(minuted, redis, ledger):
    watch(minuted, "someone", "open-1", COURSE_SECONDS, "basic")
    publish(minuted, redis)
    report = ledger.follow().hours()["basic/someone"]
    assert report["hours_certified"] == 1 and report["complete"] is False and report["certificate"] is False
    assert report["missing_courses"] == ["winter", "past", "future"]


def test_hours_of_lessons_add_up_in_their_course(minuted, redis, ledger, tmp_path):
    for lesson in ("open-1", "open-2", "open-3"):
        watch(minuted, "teacher-1", lesson, COURSE_SECONDS // 3)
    publish(minuted, redis)
    passes = tmp_path / "passes.csv"
    passes.write_text("higher,teacher-1,open\n")
    assert ledger.follow().hours("--passes", passes)["higher/teacher-1"]["hours_certified"] == 1


def test_hours_as_text_and_csv(minuted, redis, ledger):
    watch(minuted, "teacher-1", "open-1", 60)
    publish(minuted, redis)
    ledger.follow()
    text = ledger.report("hours", "--catalog", ledger.catalog)
    assert "higher/teacher-1" in text and "missing 44:00" in text
    csv = ledger.report("hours", "--catalog", ledger.catalog, "--format", "csv")
    assert csv.splitlines()[0].startswith("portal,learner_id") and len(csv.splitlines()) > 1


@pytest.mark.parametrize("text, words", [
    ("higher,teacher-1,no-such-course\n", ["passes.csv:1", "no-such-course"]),
    ("portal,learner,course\nhigher\n", ["passes.csv:2"])])
def test_a_wrong_line_of_the_passes_is_named(minuted, ledger, tmp_path, text, words):
    ledger.follow()
    passes = tmp_path / "passes.csv"
    passes.write_text(text)
    code, _, errors = run_ledger("hours", "--db", ledger.database, "--catalog", ledger.catalog, "--passes", passes)
    assert code == 1
    for word in words:
        assert word in errors, errors


# --- why ----------------------------------------------------------------------------------------

def test_why_shows_a_minute_second_by_second(minuted, redis, ledger):
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(3 * MINUTE_MS)
    second = -(-session.anchor_ms // 1000)
    minute = second - second % 60 + 60
    start = (minute + 10) * 1000 - session.anchor_ms
    assert player.send(session, run(start, start + 15_000)) == [accepted(15)]
    publish(minuted, redis)
    text = ledger.follow().report("why", "--portal", "higher", "--learner", "teacher-1", "--minute", minute)
    row, = [line for line in text.splitlines() if line.startswith("open-1")]
    assert "." * 10 + "#" * 15 + "." * 35 in row and "15 s" in row


def test_why_of_an_unwatched_minute(minuted, ledger):
    text = ledger.follow().report("why", "--portal", "higher", "--learner", "nobody", "--minute", "1674187200")
    assert "No second" in text


# --- what can go wrong --------------------------------------------------------------------------

def test_an_unwritable_database_is_named(kafka, tmp_path):
    for path in (tmp_path / "nowhere" / "ledger.db", tmp_path, "/proc/ledger.db"):
        code, _, errors = run_ledger("follow", "--brokers", kafka.brokers, "--db", path, "--until-idle", "0")
        assert code == 1 and str(path) in errors, errors


def test_a_file_that_is_no_database_is_named(kafka, tmp_path):
    path = tmp_path / "text.db"
    path.write_text("this is no database, and long enough to be looked at " * 40)
    code, _, errors = run_ledger("follow", "--brokers", kafka.brokers, "--db", path, "--until-idle", "0")
    assert code == 1 and str(path) in errors, errors
    assert os.path.getsize(path) > 1000, "it was left alone"


def test_a_missing_topic_is_named(kafka_without_topics, tmp_path):
    code, _, errors = run_ledger("follow", "--brokers", kafka_without_topics.brokers, "--db", tmp_path / "l.db",
                                 "--until-idle", "0")
    assert code == 1 and "minuted.learner-lessons" in errors and "--create-topics" in errors


def test_a_missing_database_is_named(tmp_path, catalog):
    code, _, errors = run_ledger("hours", "--db", tmp_path / "none.db", "--catalog", catalog)
    assert code == 1 and "none.db" in errors


def test_wrong_usage():
    for argv in ([], ["dance"], ["hours"], ["why", "--db", "x"], ["follow", "--brokers"]):
        assert run_ledger(*argv)[0] == 2
