"""POST /v1/heartbeats: every answer a run can get, alone and in company."""

import json

import pytest

from harness.catalog import MINUTE_MS, NOW_MS, local_ms
from harness.player import Player, accepted, rejected, retry, run, watched
from harness.redis_truth import Truth

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def minuted(shared):
    """Shared by this module: the clock goes forward only, and every test has a learner of its own."""
    return shared


@pytest.fixture
def player(shared_player):
    return shared_player


@pytest.fixture
def session(minuted, player):
    """Opened twenty minutes ago."""
    session = player.open("open-1")
    minuted.advance(20 * MINUTE_MS)
    return session


def whole_seconds(session, from_ms, to_ms):
    """How many seconds a run claims."""
    return -(-(session.anchor_ms + to_ms) // 1000) + (-(session.anchor_ms + from_ms) // 1000)


# --- accepted -----------------------------------------------------------------------------------

def test_the_answer(minuted, player, session):
    response = player.post(session.heartbeat(run(0, 15_000)))
    answer = response.json()
    assert set(answer) == {"results", "server_time_ms", "heartbeat_interval_ms"}
    assert abs(answer["server_time_ms"] - minuted.now_ms()) < 2000
    assert answer["results"] == [accepted(15)]


def test_again_is_a_duplicate(player, session):
    assert player.send(session, run(0, 15_000)) == [accepted(15)]
    assert player.send(session, run(0, 15_000)) == [accepted(0, 15)]
    assert player.send(session, run(5_000, 20_000)) == [accepted(5, 10)]
    assert watched(player.progress()) == {"open-1": 20}


def test_contiguous_runs_partition_the_seconds(player, session):
    ends = [0, 1, 999, 1000, 1001, 1750, 3333, 7777, 7778, 20_000]
    results = player.send(session, *[run(a, b) for a, b in zip(ends, ends[1:])])
    expected = [accepted(whole_seconds(session, a, b)) for a, b in zip(ends, ends[1:])]
    assert results == expected
    assert watched(player.progress()) == {"open-1": whole_seconds(session, 0, 20_000)}


def test_a_run_without_a_whole_second_writes_nothing(player, session, shared_redis):
    first = -session.anchor_ms % 1000 + 1
    assert player.send(session, run(first, first + 999)) == [accepted(0)]
    assert not shared_redis.client.keys(f"*:t:*{player.learner}")
    assert not [key for key in Truth(shared_redis.client).minutes if player.learner in key[0]]
    assert watched(player.progress()) == {}


def test_two_tabs_of_one_lesson_count_once(minuted, player):
    tabs = [player.open("open-1", device) for device in ("phone", "laptop")]
    minuted.advance(MINUTE_MS)
    player.send(tabs[0], run(0, 30_000))
    shift = tabs[1].anchor_ms - tabs[0].anchor_ms
    assert player.send(tabs[1], run(0, 30_000 - shift))[0]["credited_seconds"] == 0
    assert watched(player.progress()) == {"open-1": 30}


def test_two_lessons_at_once_share_the_seconds(minuted, player):
    one, two = player.open("open-1"), player.open("open-2")
    minuted.advance(MINUTE_MS)
    shift = two.anchor_ms - one.anchor_ms
    assert player.send(one, run(0, 20_000)) == [accepted(20)]
    contested = whole_seconds(two, 0, 20_000 - shift)
    assert player.send(two, run(0, 30_000 - shift)) == [accepted(10, 0, contested)]
    assert player.send(one, run(0, 30_000)) == [accepted(0, 20, 10)]
    assert watched(player.progress()) == {"open-1": 20, "open-2": 10}


def test_progress_in_full(minuted, player):
    session = player.open("ten-minutes")
    minuted.advance(20 * MINUTE_MS)
    player.send(session, run(0, 540_000))
    player.send(session, run(540_000, 600_000, media_from_ms=0))
    progress = player.progress()
    assert progress["total"] == {"watched_seconds": 600, "hours_learned": pytest.approx(600 / 2700, abs=0.01),
                                 "hours_max": 6}
    lesson, = progress["lessons"]
    assert lesson == {"lesson_id": "ten-minutes", "course_id": "open", "watched_seconds": 600,
                      "covered_seconds": 540, "covered_ratio": pytest.approx(0.9)}
    courses = {course["course_id"]: course for course in progress["courses"]}
    assert courses["open"]["title"] == "教师直播教学安全"
    assert courses["open"]["watched_seconds"] == 600 and courses["open"]["hours_max"] == 1
    assert courses["winter"] == {"course_id": "winter", "title": "师德典型引领", "watched_seconds": 0,
                                 "hours_learned": 0, "hours_max": 2, "opens": "2022-12-02", "closes": "2023-02-28"}


def test_hours_are_of_45_minutes_and_uncapped(minuted, player):
    session = player.open("open-1")
    minuted.advance(3 * HOUR_MS)
    player.send(session, *[run(i * 600_000, (i + 1) * 600_000) for i in range(9)])
    course = next(c for c in player.progress()["courses"] if c["course_id"] == "open")
    assert course["watched_seconds"] == 5400 and course["hours_learned"] == 2 and course["hours_max"] == 1


# --- malformed ----------------------------------------------------------------------------------

GOOD = run(1000, 2000)
MALFORMED = {
    "empty": {},
    "null": None,
    "text": "run",
    "a list": [],
    "a number": 5,
    "from negative": {**GOOD, "from_ms": -1},
    "from is text": {**GOOD, "from_ms": "1000"},
    "from is null": {**GOOD, "from_ms": None},
    "from rounds to -1": {**GOOD, "from_ms": -0.5},
    "from is true": {**GOOD, "from_ms": True},
    "to before from": {**GOOD, "to_ms": 999},
    "to equals from": {**GOOD, "to_ms": 1000},
    "to out of range": {**GOOD, "to_ms": 1 << 63},
    "to enormous": {**GOOD, "to_ms": 1e300},
    "media negative": {**GOOD, "media_from_ms": -5},
    "media to before from": {**GOOD, "media_to_ms": 900},
    "media to equals from": {**GOOD, "media_to_ms": 1000},
    "to before from by a fraction": {**GOOD, "to_ms": 999.9},
    "media rounds to more than 2^53": {**GOOD, "media_to_ms": 2.0**53 + 2},
    "rate is text": {**GOOD, "rate": "1"},
    "rate is null": {**GOOD, "rate": None},
    "rate is a list": {**GOOD, "rate": [1]},
    **{f"no {name}": {k: v for k, v in GOOD.items() if k != name} for name in GOOD},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_spoils_no_other(player, session, name):
    results = player.send(session, run(0, 10_000), MALFORMED[name], run(20_000, 30_000))
    assert results == [accepted(10), rejected("malformed"), accepted(10)]


@pytest.mark.parametrize("text", ["1000", "1e3", "1000.0", "10.0e2", "1000.4", "999.6", "1.0004E+3", "10004e-1"])
def test_numbers_however_written(player, session, text):
    body = json.dumps(session.heartbeat({**GOOD, "from_ms": 0})).replace('"to_ms": 2000', f'"to_ms": {text}', 1)
    body = body.replace('"media_to_ms": 2000', '"media_to_ms": 1999.7')
    assert player.post(body).json()["results"] == [accepted(whole_seconds(session, 0, 1000))]


# --- what honest clients send -------------------------------------------------------------------

def test_fractions_as_browsers_clocks_give_them(player, session):
    """Each edge rounds alike on both sides, so no second falls between two runs and none counts twice."""
    ends = [0.1 + 700.3 * i for i in range(40)]
    results = player.send(session, *[run(a, b) for a, b in zip(ends, ends[1:])])
    assert {result["status"] for result in results} == {"accepted"}
    assert sum(result["credited_seconds"] for result in results) == whole_seconds(session, 0, round(ends[-1]))
    assert not any(result["duplicate_seconds"] for result in results)


def test_a_run_of_less_than_a_millisecond_is_accepted_with_nothing(player, session):
    tiny = run(3000.1, 3000.3, media_from_ms=70.2, media_to_ms=70.4)
    assert player.send(session, run(0, 3000.1), tiny, run(3000.3, 6000)) == [accepted(3), accepted(0), accepted(3)]


def test_the_media_of_a_live_stream_may_be_a_unix_time(player, session):
    results = player.send(session, *[run(i * 10_000, i * 10_000 + 10_000, media_from_ms=start) for i, start in
                                     enumerate((2**32 - 5000, 2**32, 1_674_187_200_500, 2**53 - 10_000))])
    assert results == [accepted(10)] * 4
    lesson = next(lesson for lesson in player.progress()["lessons"] if lesson["lesson_id"] == "open-1")
    assert lesson["watched_seconds"] == 40 and 4 <= lesson["covered_seconds"] <= 5


def generated(heartbeat, nothing):
    """HEARTBEAT as a generated client sends it: every member of its class is there."""
    return {"session_token": nothing, "runs": None, "heartbeats": None, **heartbeat}


QUIRKS = {  # what a client makes of a heartbeat
    "null for what is not used": lambda h: generated(h, None),
    "empty lists for what is not used": lambda h: {**h, "heartbeats": []},
    "null in a batch": lambda h: generated({"heartbeats": [{**generated(h, None), "quality": None}]}, None),
    "empty texts and lists in a batch": lambda h: {"session_token": "", "runs": [], "heartbeats": [{**h, "heartbeats": []}]},
    "null members of a run": lambda h: {**h, "runs": [{**h["runs"][0], "quality": None}]},
    "floats": lambda h: {**h, "runs": [{name: float(value) for name, value in h["runs"][0].items()}]},
}


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain;charset=UTF-8"])
@pytest.mark.parametrize("name", QUIRKS)
def test_quirks_of_generated_clients(player, session, name, content_type, bom):
    body = bom + json.dumps(QUIRKS[name](session.heartbeat(run(0, 10_000)))) + "\r\n"
    response = player.client.request("POST", "/v1/heartbeats", body.encode(), content_type=content_type)
    assert response.status == 200 and response.json()["results"] == [accepted(10)], response


# --- the other reasons --------------------------------------------------------------------------

REASONS = {
    "ten minutes are allowed": (run(0, 600_000), accepted(600)),
    "too_long": (run(0, 600_001), rejected("too_long")),
    "a rate of 2": (run(0, 10_000, rate=2.0), accepted(10)),
    "a rate of 0.25": (run(0, 10_000, rate=0.25), accepted(10)),
    "rate too high": (run(0, 10_000, rate=16.5), rejected("rate_too_high")),
    "rate too low": (run(0, 10_000, rate=0.2), rejected("rate_too_high")),
    "rate zero": (run(0, 10_000, rate=0, media_to_ms=1), rejected("rate_too_high")),
    "media 10 % and 0.5 s more": (run(0, 10_000, media_to_ms=11_500), accepted(10)),
    "media too far": (run(0, 10_000, media_to_ms=11_501), rejected("media_mismatch")),
    "media 10 % and 0.5 s less": (run(0, 10_000, media_to_ms=8_500), accepted(10)),
    "media too short": (run(0, 10_000, media_to_ms=8_499), rejected("media_mismatch")),
    "a seek": (run(0, 10_000, media_from_ms=0, media_to_ms=300_000), rejected("media_mismatch")),
    "too_long before rate": (run(0, 600_001, rate=99), rejected("too_long")),
    "rate before media": (run(0, 10_000, rate=99, media_to_ms=5), rejected("rate_too_high")),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons(player, session, name):
    sent, expected = REASONS[name]
    assert player.send(session, run(700_000, 701_000), sent, run(702_000, 703_000)) == [
        accepted(1), expected, accepted(1)]


def test_outside_lesson(minuted, player):
    session = player.open("ten-minutes")
    minuted.advance(20 * MINUTE_MS)
    assert player.send(session, run(0, 10_000, media_from_ms=590_000)) == [accepted(10)]
    assert player.send(session, run(10_000, 20_000, media_from_ms=600_000)) == [rejected("outside_lesson")]
    assert player.send(session, run(10_000, 20_000, media_from_ms=9_000_000)) == [rejected("outside_lesson")]


def test_lesson_unknown_after_it_left_the_catalog(new_minuted, redis, catalog):
    minuted = new_minuted(redis).start(NOW_MS)
    player = Player(minuted, "teacher-1")
    session = player.open("open-3")
    minuted.advance(MINUTE_MS)
    catalog.write_text(catalog.read_text().replace("      - {id: open-3}\n", ""))
    minuted.reload()
    assert player.send(session, run(0, 10_000)) == [retry("lesson_unknown")]


def test_the_window_is_judged_at_the_claimed_second(new_minuted, redis):
    """Clipped per second to the course's opening, whenever the run arrives."""
    closes = local_ms(2023, 3, 1)
    minuted = new_minuted(redis).start(closes - 60_000)
    player = Player(minuted, "teacher-1")
    session = player.open("winter-1")
    minuted.advance(10 * MINUTE_MS)
    end = closes - session.anchor_ms
    assert player.send(session, run(end - 20_000, end + 10_000)) == [accepted(20)]
    assert player.send(session, run(end, end + 10_000)) == [rejected("lesson_closed")]
    assert player.send(session, run(end - 30_000, end)) == [accepted(10, 20)]


def test_ahead_of_the_clock_is_a_retry(minuted, player):
    session = player.open("open-1")
    ahead = run(0, 60_000)
    assert player.send(session, ahead) == [retry("ahead_of_clock")]
    minuted.advance(52_000)
    assert player.send(session, ahead) == [retry("ahead_of_clock")]
    minuted.advance(4_000)
    assert player.send(session, ahead) == [accepted(60)]


def test_too_late_is_older_than_the_horizon(minuted, player):
    session = player.open("open-1")
    minuted.advance(24 * HOUR_MS + 2 * MINUTE_MS)
    later = run(3_600_000, 3_610_000)
    assert player.send(session, run(0, 10_000), later) == [rejected("too_late"), accepted(10)]
    minuted.advance(HOUR_MS + MINUTE_MS)
    assert player.send(session, later) == [rejected("too_late")]


def test_too_late_clips_by_whole_minutes(minuted, player):
    session = player.open("open-1")
    minuted.advance(24 * HOUR_MS + MINUTE_MS)
    first_second = -(-session.anchor_ms // 1000)
    in_time = 180 - (60 - first_second % 60)
    assert player.send(session, run(0, 180_000)) == [accepted(in_time)]
    assert player.send(session, run(0, 180_000)) == [accepted(0, in_time)]


def test_session_expired(minuted, player, session):
    expiry = session.expires_ms - session.anchor_ms
    minuted.advance(5 * HOUR_MS)
    assert player.send(session, run(expiry - 10_000, expiry)) == [accepted(10)]
    results = player.send(session, run(expiry - 20_000, expiry - 10_000), run(expiry - 10_000, expiry + 1))
    assert results == [accepted(10), rejected("session_expired")]


def test_a_heartbeat_all_beyond_expiry_is_410(minuted, player, session):
    expiry = session.expires_ms - session.anchor_ms
    minuted.advance(5 * HOUR_MS)
    response = player.post(session.heartbeat(run(expiry, expiry + 10_000), run(expiry + 10_000, expiry + 20_000)))
    assert response.status == 410 and response.content_type == "application/problem+json"
    batch = player.post({"heartbeats": [session.heartbeat(run(expiry, expiry + 10_000))]})
    assert batch.json()["results"] == [rejected("session_expired")]


def test_an_offline_phone_delivers_until_expiry_and_horizon(minuted, player, session):
    expiry = session.expires_ms - session.anchor_ms
    minuted.set_clock(session.expires_ms + 24 * HOUR_MS - 2 * MINUTE_MS)
    assert player.send(session, run(expiry - 10_000, expiry)) == [accepted(10)]
    minuted.advance(4 * MINUTE_MS)
    response = player.post(session.heartbeat(run(expiry - 10_000, expiry)))
    assert response.status in (401, 410), response


def test_too_late_comes_last(minuted, player, session):
    minuted.advance(24 * HOUR_MS)
    assert player.send(session, run(0, 10_000, rate=99)) == [rejected("rate_too_high")]


# --- batches ------------------------------------------------------------------------------------

def test_a_batch_of_sessions(minuted):
    players = [Player(minuted, f"batch-{i}", portal) for i in range(10) for portal in ("higher", "basic")]
    sessions = [p.open(f"open-{i % 3 + 1}") for i, p in enumerate(players)]
    minuted.advance(MINUTE_MS)
    body = {"heartbeats": [s.heartbeat(run(0, 1000 * i), run(0, 1000 * i)) for i, s in enumerate(sessions, 1)]}
    results = players[0].post(body).json()["results"]
    assert results == [r for i in range(1, 21) for r in (accepted(i), accepted(0, i))]
    assert [p.progress()["total"]["watched_seconds"] for p in players] == list(range(1, 21))


def test_a_bad_token_in_a_batch_spoils_no_other(player, session):
    body = {"heartbeats": [
        {"session_token": "m1.forged.token.here", "runs": [run(0, 1000), run(1000, 2000)]},
        session.heartbeat(run(0, 10_000)),
        {"session_token": "", "runs": [run(0, 1000)]}]}
    assert player.post(body).json()["results"] == [
        rejected("token_invalid"), rejected("token_invalid"), accepted(10), rejected("token_invalid")]


def test_malformed_comes_before_the_token(player, session):
    body = {"heartbeats": [{"session_token": "forged", "runs": [{}, run(0, 1000)]}, session.heartbeat({})]}
    assert player.post(body).json()["results"] == [
        rejected("malformed"), rejected("token_invalid"), rejected("malformed")]


def test_a_single_bad_token_is_401(player, session):
    response = player.post({"session_token": session.token[:-3] + "xyz", "runs": [run(0, 1000)]})
    assert response.status == 401 and response.content_type == "application/problem+json"


def test_256_runs_are_the_limit(player, session):
    runs = [run(1000 * i, 1000 * i + 1000) for i in range(257)]
    assert player.send(session, *runs[:256]) == [accepted(1)] * 256
    assert player.post(session.heartbeat(*runs)).status == 413
    split = [session.heartbeat(*runs[:128]), session.heartbeat(*runs[128:])]
    assert player.post({"heartbeats": split}).status == 413
    assert watched(player.progress()) == {"open-1": 256}


def test_no_runs_at_all(player, session):
    for body in (session.heartbeat(), {"heartbeats": []}, {"heartbeats": [session.heartbeat()]}):
        response = player.post(body)
        assert response.status == 200 and response.json()["results"] == []


def test_both_forms_at_once_are_400(player, session):
    both = session.heartbeat(run(0, 1000))
    assert player.post({**both, "heartbeats": [both]}).status == 400
    assert player.post({"session_token": session.token, "heartbeats": [both]}).status == 400
    assert watched(player.progress()) == {}


def test_unknown_members_are_ignored(player, session):
    body = {**session.heartbeat({**run(0, 1000), "quality": "hd"}), "app": ["x", {"y": None}]}
    assert player.post(body).json()["results"] == [accepted(1)]


def test_runs_of_one_learner_in_one_batch_keep_their_order(minuted, player):
    one, two = player.open("open-1"), player.open("open-2")
    minuted.advance(MINUTE_MS)
    shift = two.anchor_ms - one.anchor_ms
    body = {"heartbeats": [one.heartbeat(run(0, 10_000)), two.heartbeat(run(0, 10_000 - shift))]}
    first, second = player.post(body).json()["results"]
    assert first == accepted(10) and second["credited_seconds"] == 0 and second["contested_seconds"] >= 9
