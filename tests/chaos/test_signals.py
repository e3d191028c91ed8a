"""Signals under full load: SIGTERM answers what it took, SIGHUP disturbs nobody."""

import os
import signal

import pytest

from harness.agreement import check_published
from harness.catalog import MINUTE_MS, NOW_MS
from harness.load import Client, Load
from harness.player import Player, accepted, retry, run
from harness.redis_truth import Truth
from harness.service import wait_until

CONNECTIONS = 300
PIPELINED = 30   # of them, four requests deep


def open_sessions(minuted, n, hours=3):
    sessions = [Player(minuted, f"teacher-{i}").open("open-1") for i in range(n)]
    minuted.advance(hours * 60 * MINUTE_MS)
    return sessions


def full_load(minuted):
    sessions = open_sessions(minuted, CONNECTIONS)
    return Load(minuted.port, [Client(s, 4 if i < PIPELINED else 1) for i, s in enumerate(sessions)]).start()


def hang_up_under(minuted, load):
    """SIGHUP, and some answers more before whatever comes next."""
    answered = load.statuses().total()
    minuted.signal(signal.SIGHUP)
    wait_until(lambda: load.statuses().total() > answered + 50, "the load goes on", every=0.01)


def resend(player, load, model):
    """What every player does with what was not accepted; the seconds of what was not answered must be new."""
    for client in load.clients:
        for sent in client.under_way:
            wanted = model.claim(client.session.name, "open-1", client.session.anchor_ms, sent)
            assert player.send(client.session, sent) == [accepted(*wanted)]
        for sent in client.unfinished:  # which Redis may hold already
            credited = player.send(client.session, sent)[0]
            assert credited["credited_seconds"] + credited["duplicate_seconds"] == 1
            model.claim(client.session.name, "open-1", client.session.anchor_ms, sent)


def another(new_minuted, redis, kafka, first, now_ms):
    """The daemon that comes next; it need not wait for a killed one's lease, which other tests do."""
    redis.client.delete("minuted:publisher")
    return new_minuted(redis, kafka.brokers, "second", {
        "kafka": {"deployment": first.config["kafka"]["deployment"]}}).start(now_ms)


def test_sigterm_under_full_load(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, "first").start(NOW_MS)
    load = full_load(minuted)
    now_ms = minuted.now_ms()
    minuted.stop()
    load.wait()

    assert not load.torn()
    assert load.statuses().keys() <= {200, 503}
    for client in load.clients:
        assert len(client.under_way) <= client.depth
    model = load.model()
    load.check_held(Truth(redis.client))  # an orderly stop answers what it took

    second = another(new_minuted, redis, kafka, minuted, now_ms)
    resend(Player(second, "anyone"), load, model)
    second.advance(3 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


def test_sigkill_under_full_load_loses_nothing_accepted(kafka, new_minuted, redis):
    minuted = new_minuted(redis, kafka.brokers, "first").start(NOW_MS)
    load = full_load(minuted)
    now_ms = minuted.now_ms()
    minuted.kill()
    load.wait()
    held = Truth(redis.client).minutes
    for key, seconds in load.model().minutes().items():
        assert seconds <= held.get(key, set()), f"accepted and lost: {key}"

    second = another(new_minuted, redis, kafka, minuted, now_ms)
    model, player = load.model(), Player(second, "anyone")
    for client in load.clients:
        for sent in client.unanswered:
            credited = player.send(client.session, sent)[0]
            assert credited["credited_seconds"] + credited["duplicate_seconds"] == 1
            model.claim(client.session.name, "open-1", client.session.anchor_ms, sent)
    second.advance(3 * MINUTE_MS)
    check_published(model, redis.client, kafka.brokers)


class KeyRing:
    """The keys of the only daemon, which may put a new one in front at once: nobody else meets its tokens."""

    def __init__(self, minuted):
        self.minuted, self.paths = minuted, [str(minuted.session_key)]

    def rotate(self):
        path = self.minuted.file(f"session-{len(self.paths)}.key", os.urandom(32))
        self.paths.insert(0, str(path))
        self.write(self.paths)

    def write(self, paths):
        """In one step, so that no reload meets half a file."""
        self.minuted.change({"auth": {"session_key_file": list(paths)}})
        whole, self.minuted.config_path = self.minuted.config_path, self.minuted.directory / "next.yaml"
        os.replace(self.minuted.write_config(), whole)
        self.minuted.config_path = whole


def test_sighup_under_full_load(new_minuted, redis):
    minuted = new_minuted(redis).start(NOW_MS)
    ring, player = KeyRing(minuted), Player(minuted, "teacher-late")
    load = full_load(minuted)
    before, sessions = load.statuses().total(), []
    for i in range(40):
        if i % 10 == 5:
            ring.rotate()
        hang_up_under(minuted, load)
        if i % 10 == 9:
            sessions.append(player.open("open-2", f"phone-{i}"))
    load.stop()

    assert load.statuses().keys() <= {200, 503}, load.statuses()
    assert load.statuses().total() > before + CONNECTIONS
    assert not load.torn()
    for client in load.clients:
        assert not client.said_close and not client.under_way
    assert minuted.log_text().count("event=reloaded") > 5
    assert "event=reload_failed" not in minuted.log_text()
    load.check_held(Truth(redis.client))

    # Each key still verifies what it signed; without the oldest its sessions are not known, and all others are.
    minuted.advance(MINUTE_MS)
    for i, session in enumerate(sessions):
        assert player.send(session, run(10_000 * i, 10_000 * i + 10_000))[0]["status"] == "accepted"
    ring.write(ring.paths[:-1])
    minuted.signal(signal.SIGHUP)
    oldest = load.clients[0].session.heartbeat(run(0, 1000))
    wait_until(lambda: player.post(oldest).json()["results"] == [retry("token_unknown")], "the oldest key is out of use")
    assert player.send(sessions[0], run(0, 10_000))[0]["status"] == "accepted"


@pytest.mark.parametrize("broken", ["half: [a configuration", "auth: {session_key_file: nowhere.key}"])
def test_a_reload_that_fails_changes_nothing_under_load(new_minuted, redis, broken):
    minuted = new_minuted(redis).start(NOW_MS)
    load = full_load(minuted)
    minuted.config_path.write_text(broken)
    for _ in range(10):
        hang_up_under(minuted, load)
    minuted.wait_log("event=reload_failed")
    load.stop()
    assert load.statuses().keys() <= {200, 503} and not load.torn()
    load.check_held(Truth(redis.client))
