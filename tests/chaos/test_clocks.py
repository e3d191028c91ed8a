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
HOUR_MS = 60 * MINUTE_MS


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


def wait_looks(redis):
    """Until daemons have looked at REDIS again, and acted on what they saw."""
    looks = redis.times_asked()
    wait_until(lambda: redis.times_asked() >= looks + 3, "it is looked at again")


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

@pytest.mark.parametrize("step_ms", [STEP_MS, -STEP_MS, 30 * HOUR_MS, -26 * HOUR_MS])
def test_a_daemons_clock_that_jumps_is_not_followed(kafka, new_minuted, redis, clock, step_ms):
    """Redis's clock says what time it is: sessions are opened and heartbeats are taken as if nothing had happened."""
    model, minuted = Model(), clock.give_to(new_minuted(redis, kafka.brokers)).start(NOW_MS)
    old = Viewer(minuted, "teacher-1", model)
    minuted.advance(MINUTE_MS)
    old.watch(20_000)
    assert old.send() == ["accepted"]

    clock.set(step_ms)
    wait_looks(redis)
    skew = f'{{server="{redis.address}"}}'
    wait_until(lambda: abs(minuted.metric("minuted_redis_clock_skew_seconds", skew) * 1000 + step_ms) < 1000, "the step is told")
    new = Viewer(minuted, "teacher-2", model)
    assert abs(new.session.anchor_ms - old.session.anchor_ms - MINUTE_MS) < 2 * MINUTE_MS
    minuted.advance(MINUTE_MS)
    for viewer in (old, new):
        viewer.watch(20_000)
        assert viewer.send() == ["accepted"]
    assert minuted.is_ready() and minuted.metric("minuted_clock_credible") == 1
    minuted.advance(5 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


# --- the whole machine jumps: the daemon and Redis agree -----------------------------------------

@pytest.mark.parametrize("step_ms", [STEP_MS, -STEP_MS, 30 * HOUR_MS, -30 * HOUR_MS])
def test_a_machine_whose_clock_jumps(kafka, new_minuted, stepped_redis, clock, redis_clock, step_ms):
    """In doubt heartbeats go on by the time before, and nothing else does; after a minute both clocks are believed."""
    clocks = (clock, redis_clock)
    model, minuted = Model(), clock.give_to(new_minuted(stepped_redis, kafka.brokers)).start(NOW_MS)
    old = Viewer(minuted, "teacher-1", model)
    minuted.advance(MINUTE_MS)
    old.watch(58_000)
    assert old.send() == ["accepted"]

    for one in clocks:
        one.set(step_ms)
    wait_until(lambda: minuted.metric("minuted_clock_credible") == 0, "the clock is in doubt")
    old.watch(2000)
    assert old.send() == ["accepted"]
    refused = old.player.try_open_once("open-1")
    assert refused.status == 503 and int(refused.headers["retry-after"]) >= 1, refused
    minuted.advance(5 * MINUTE_MS)
    published = minuted.metric("minuted_published_records_total")
    wait_looks(stepped_redis)
    assert minuted.metric("minuted_published_records_total") == published
    assert minuted.is_ready() and "in doubt" in minuted.admin_client.get("/readyz?verbose").body.decode()

    for one in clocks:
        one.advance(61_000)
    wait_until(lambda: minuted.metric("minuted_clock_credible") == 1, "both clocks are believed")
    minuted.set_clock(NOW_MS + HOUR_MS)
    new = Viewer(minuted, "teacher-2", model)
    minuted.advance(MINUTE_MS)
    for viewer in (old, new):
        viewer.watch(30_000)
        wait_until(lambda v=viewer: v.send() == ["accepted"], "heartbeats are accepted")
    minuted.advance(5 * MINUTE_MS)
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


# --- two daemons whose clocks are apart -----------------------------------------------------------

def test_two_daemons_within_the_limit_agree(new_minuted, redis, clock, tmp_path):
    """One 1.9 s ahead, one behind: both follow Redis, so a player who changes between them loses nothing."""
    clock.set(1900)
    behind = WallClock(tmp_path / "behind-clock", -1900)
    def redis_time():
        seconds, us = redis.client.time()
        return seconds + us / 1e6
    for name, shifted in (("ahead", clock), ("behind", behind)):
        minuted = shifted.give_to(new_minuted(redis, name=name)).launch()
        wait_until(minuted.is_ready, "it is ready")
        before, told, after = redis_time(), minuted.metric("minuted_clock_timestamp_seconds"), redis_time()
        assert before - 0.2 <= told <= after + 0.2


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
