"""Wall clocks that jump, and daemons whose clocks disagree: no second twice, none of the honest lost."""

import time

import pytest

from harness.agreement import check_published
from harness.catalog import MINUTE_MS, NOW_MS
from harness.model import Model
from harness.player import Player, accepted, retry, run
from harness.process import WallClock
from harness.raw import RawConnection, post
from harness.redis_server import RedisServer
from harness.service import wait_until

STEP_MS = 10_000


@pytest.fixture
def clock(tmp_path):
    return WallClock(tmp_path / "clock")


@pytest.fixture
def redis_clock(tmp_path):
    return WallClock(tmp_path / "redis-clock")


@pytest.fixture
def stepped_redis(tmp_path, services, redis_clock):
    server = redis_clock.give_to(RedisServer(tmp_path / "redis"))
    services.append(server)
    return server.start()


def wait_stands_by(minuted):
    """Each worker takes it up in its own loop: the one that players of MINUTED are connected to is asked."""
    wait_until(lambda: not minuted.is_ready() and "has a clock" in minuted.readyz()[1], "it stands by")
    wait_until(lambda: minuted.client.post("/v1/heartbeats", {}).status == 503, "its worker admits nothing, not even this")


def wait_comes_back(minuted):
    wait_until(minuted.is_ready, "it comes back")


class Viewer:
    """An honest player: sends what it has watched, keeps what was not accepted, sends it again."""

    def __init__(self, minuted, learner, model):
        self.player, self.model = Player(minuted, learner), model
        self.session, self.kept, self.watched_ms = self.player.open("open-1"), [], 0

    def watch(self, ms):
        self.kept.append(run(self.watched_ms, self.watched_ms + ms))
        self.watched_ms += ms

    def send(self, session=None):
        """Sends all that is kept; returns how the daemon took it: a status, or the results."""
        session = session or self.session
        response = self.player.post_once(session.heartbeat(*self.kept))
        if response.status != 200:
            return response.status
        kept, self.kept = self.kept, []
        results = response.json()["results"]
        for sent, result in zip(kept, results, strict=True):
            assert result["status"] in ("accepted", "retry"), result
            if result["status"] == "accepted":
                assert result == accepted(*self.model.claim(session.name, session.lesson, session.anchor_ms, sent))
            else:
                self.kept.append(sent)
        return [r["status"] for r in results]


# --- the daemon's clock jumps, Redis's does not --------------------------------------------------

@pytest.mark.parametrize("step_ms", [STEP_MS, -STEP_MS], ids=["forward", "back"])
def test_a_daemons_clock_that_jumps(kafka, new_minuted, redis, clock, step_ms):
    model, minuted = Model(), clock.give_to(new_minuted(redis, kafka.brokers)).start(NOW_MS)
    viewers = [Viewer(minuted, f"teacher-{i}", model) for i in range(3)]
    minuted.advance(MINUTE_MS)
    for viewer in viewers:
        viewer.watch(20_000)
        assert viewer.send() == ["accepted"]

    clock.set(step_ms)
    wait_stands_by(minuted)
    for viewer in viewers:
        viewer.watch(20_000)
        assert viewer.send() == 503
        assert viewer.player.try_open_once("open-2").status == 503
    looks = redis.times_asked()
    wait_until(lambda: redis.times_asked() >= looks + 3, "it looks again")
    assert viewers[0].send() == 503  # and nothing changed its mind

    clock.set(0)
    wait_comes_back(minuted)
    for viewer in viewers:
        wait_until(lambda v=viewer: v.send() == ["accepted"], "what was kept is accepted")
    minuted.advance(5 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


def test_what_a_wrong_clock_anchored_before_it_was_found_out(kafka, new_minuted, redis, clock):
    """For up to a second after the jump the daemon believes its clock: such a session's seconds lie 10 s ahead."""
    model, minuted = Model(), clock.give_to(new_minuted(redis, kafka.brokers)).start(NOW_MS)
    viewer = Viewer(minuted, "teacher-1", model)
    minuted.advance(MINUTE_MS)
    viewer.watch(60_000)
    assert viewer.send() == ["accepted"]
    opened = ahead_session(minuted, viewer, clock)
    clock.set(0)
    wait_comes_back(minuted)
    ahead = run(0, 8000)
    results = wait_until(lambda: viewer.player.post_once(opened.heartbeat(ahead)).json().get("results"), "it is judged")
    assert results == [retry("ahead_of_clock")]
    minuted.advance(MINUTE_MS)
    assert viewer.player.send(opened, ahead) == [
        accepted(*model.claim(opened.name, "open-2", opened.anchor_ms, ahead))]
    viewer.watch(60_000)  # of the old session, over the same seconds: contested where the other was first
    assert viewer.send() == ["accepted"]
    minuted.advance(5 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


def ahead_session(minuted, viewer, clock):
    """Steps the clock right after a look, and opens a session before the next."""
    for _ in range(20):
        clock.set(STEP_MS)
        response = viewer.player.try_open_once("open-2")
        if response.status == 201:
            return viewer.player.session_of(response, "open-2")
        clock.set(0)
        wait_comes_back(minuted)
    raise AssertionError("every look was quicker")


# --- the whole machine jumps: the daemon and Redis agree -----------------------------------------

@pytest.mark.parametrize("step_ms", [STEP_MS, -STEP_MS], ids=["forward", "back"])
def test_a_machine_whose_clock_jumps(kafka, new_minuted, stepped_redis, clock, redis_clock, step_ms):
    model, minuted = Model(), clock.give_to(new_minuted(stepped_redis, kafka.brokers)).start(NOW_MS)
    old = Viewer(minuted, "teacher-1", model)
    minuted.advance(MINUTE_MS)
    old.watch(58_000)
    assert old.send() == ["accepted"]

    clock.set(step_ms)
    redis_clock.set(step_ms)
    old.watch(2000)
    if step_ms < 0:
        # Its seconds are ahead of the clock now, by more than the slack: kept, and accepted when their time has come.
        wait_until(lambda: old.send() == ["retry"], "its seconds are ahead of the clock")
        minuted.advance(STEP_MS)
    wait_until(lambda: old.send() == ["accepted"], "its seconds are accepted")

    new = Viewer(minuted, "teacher-1", model)  # another tab, in the same seconds where the clock went back
    minuted.advance(MINUTE_MS)
    new.watch(30_000)
    old.watch(60_000)
    for viewer in (new, old):
        wait_until(lambda v=viewer: v.send() == ["accepted"], "both are accepted")
    minuted.advance(5 * MINUTE_MS)
    wait_comes_back(minuted)
    check_published(model, stepped_redis.client, kafka.brokers)


@pytest.mark.parametrize("step_ms", [STEP_MS, -STEP_MS, 3_600_000, -3_600_000])
def test_timers_do_not_care(new_minuted, redis, clock, step_ms):
    """Deadlines and idle connections run on the monotonic clock: a step forward, longer than each of them, brings none of
    them nearer, and after a step back of an hour nobody waits for an hour."""
    minuted = clock.give_to(new_minuted(redis, changes={
        "http": {"header_timeout": "1s", "request_timeout": "9s", "idle_timeout": "2s"}})).start(NOW_MS)
    session = Player(minuted, "teacher-1").open("open-1")
    whole = post("/v1/heartbeats", '{"session_token": "' + session.token + '", "runs": []}')
    with RawConnection(minuted.port) as half, RawConnection(minuted.port) as idle, \
            RawConnection(minuted.port) as late:
        began = time.monotonic()
        assert idle.send(whole).response()[0] in (200, 503)
        half.send(whole[:-1])
        late.send(whole[:40])
        wait_until(lambda: minuted.metric("minuted_http_open_connections") >= 4, "they are connected")
        clock.set(step_ms)
        assert half.send(whole[-1:]).response()[0] in (200, 400, 503)
        assert late.response()[0] == 408
        assert time.monotonic() - began > 0.9
        assert idle.closed()
        assert time.monotonic() - began > 1.9
    clock.set(0)
    wait_comes_back(minuted)


# --- two daemons whose clocks are 4 s apart ------------------------------------------------------

@pytest.mark.parametrize("skew_ms", [4000, -4000])
def test_two_daemons_with_clocks_4_s_apart(kafka, new_minuted, redis, clock, skew_ms):
    clock.set(skew_ms)
    right = new_minuted(redis, kafka.brokers, "right").start(NOW_MS)
    wrong = clock.give_to(new_minuted(redis, kafka.brokers, "wrong", {
        "kafka": {"deployment": right.config["kafka"]["deployment"]}})).launch()
    wait_until(lambda: wrong.admin_client.get("/livez").status == 200, "the other has started")
    wrong.set_clock(NOW_MS + skew_ms)
    wait_stands_by(wrong)
    assert abs(abs(wrong.metric("minuted_redis_clock_skew_seconds", f'{{server="{redis.address}"}}')) - 4) < 0.5

    model, viewers = Model(), []
    for i in range(3):
        viewers.append(Viewer(right, f"teacher-{i}", model))
    right.advance(MINUTE_MS)
    wrong.advance(MINUTE_MS)
    for viewer in viewers:
        viewer.watch(30_000)
        assert viewer.send() == ["accepted"]
        viewer.watch(10_000)
        here, viewer.player.client = viewer.player.client, wrong.client
        assert viewer.send() == 503
        assert viewer.player.try_open_once("open-1").status == 503
        viewer.player.client = here
        assert viewer.send() == ["accepted"]
    assert right.is_ready() and not wrong.is_ready()

    clock.set(0)
    wait_comes_back(wrong)
    for viewer in viewers:
        viewer.watch(20_000)
        viewer.player.client = wrong.client
        wait_until(lambda v=viewer: v.send() == ["accepted"], "the other takes heartbeats again")
        assert viewer.player.send(viewer.session, run(0, 60_000)) == [accepted(0, 60)]
    right.advance(5 * MINUTE_MS)
    wrong.advance(5 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)
