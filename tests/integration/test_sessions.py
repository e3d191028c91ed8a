"""POST /v1/sessions."""

import pytest

from harness.catalog import DAY_MS, NOW_MS, local_ms
from harness.player import bearer

HOUR_MS = 3_600_000


def test_what_a_session_tells(shared, shared_player):
    before = shared.now_ms()
    response = shared_player.try_open("open-1")
    after = shared.now_ms()
    assert response.status == 201 and response.content_type == "application/json"
    answer = response.json()
    assert set(answer) == {"session_id", "session_token", "server_time_ms", "expires_at_ms", "heartbeat_interval_ms"}
    assert before <= answer["server_time_ms"] <= after
    assert 0 < answer["expires_at_ms"] - answer["server_time_ms"] <= 4 * HOUR_MS
    assert 1000 <= answer["heartbeat_interval_ms"] <= 60_000
    assert answer["session_id"] and len(answer["session_token"]) <= 1024


def test_sessions_differ(shared_player):
    first, second = shared_player.open("open-1"), shared_player.open("open-1")
    assert first.id != second.id and first.token != second.token


@pytest.mark.parametrize("lesson", ["nowhere", "OPEN-1", "open", "open-1."])
def test_unknown_lesson_is_404(shared_player, lesson):
    response = shared_player.try_open(lesson)
    assert response.status == 404 and response.content_type == "application/problem+json"


@pytest.mark.parametrize("lesson", ["past-1", "future-1"])
def test_outside_the_course_window_is_403(shared_player, lesson):
    response = shared_player.try_open(lesson)
    assert response.status == 403 and response.content_type == "application/problem+json"


def test_the_window_is_whole_days_in_the_catalog_zone(minuted, player):
    opens, closes = local_ms(2022, 12, 2), local_ms(2023, 3, 1)
    for now_ms, status in [(opens - 2000, 403), (opens, 201), (closes - 5000, 201), (closes, 403)]:
        minuted.set_clock(now_ms)
        player.token = type(player)(minuted, "teacher-1").token
        assert player.try_open("winter-1").status == status, now_ms


BODIES = {
    "no lesson": {"device_id": "d"},
    "device is a number": {"lesson_id": "open-1", "device_id": 5},
    "empty lesson": {"lesson_id": "", "device_id": "d"},
    "lesson is a number": {"lesson_id": 1, "device_id": "d"},
    "lesson is null": {"lesson_id": None, "device_id": "d"},
    "lesson with a slash": {"lesson_id": "a/b", "device_id": "d"},
    "lesson in another script": {"lesson_id": "课", "device_id": "d"},
    "lesson of 65 bytes": {"lesson_id": "x" * 65, "device_id": "d"},
    "empty device": {"lesson_id": "open-1", "device_id": ""},
    "device of 129 bytes": {"lesson_id": "open-1", "device_id": "x" * 129},
    "device with a control character": {"lesson_id": "open-1", "device_id": "a\u0007"},
    "device with a NUL": {"lesson_id": "open-1", "device_id": "a\0b"},
    "a list": [],
    "text": "open-1",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_id_is_400(shared_player, name):
    response = shared_player.client.post("/v1/sessions", BODIES[name], headers=bearer(shared_player.token))
    assert response.status == 400, response
    assert response.content_type == "application/problem+json" and response.json()["detail"]


@pytest.mark.parametrize("device", ["d", "x" * 128, "王老师的手机", "a b/c\"\\"])
def test_good_devices(shared_player, device):
    assert shared_player.try_open("open-1", device).status == 201


@pytest.mark.parametrize("body", ['{"lesson_id": "open-1"}', '{"device_id": null, "lesson_id": "open-1", "x": null}',
                                  '\ufeff{"lesson_id": "open-1", "device_id": "d"}\n'])
def test_what_generated_clients_send(shared_player, body):
    for content_type in ("application/json", "text/plain"):
        response = shared_player.client.request("POST", "/v1/sessions", body.encode(), content_type=content_type,
                                                headers=bearer(shared_player.token))
        assert response.status == 201, response


def test_unknown_members_are_ignored(shared_player):
    body = {"lesson_id": "open-1", "device_id": "d", "app": {"version": [1, 2]}}
    assert shared_player.client.post("/v1/sessions", body, headers=bearer(shared_player.token)).status == 201


def test_an_expired_platform_token_opens_nothing(minuted, player):
    minuted.set_clock(NOW_MS + 400 * DAY_MS)
    assert player.try_open("open-1").status == 401
