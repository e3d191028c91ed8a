"""A Redis that asks who is there: a password, an ACL user who may do no more than is documented, and what goes wrong with both."""

import re
from pathlib import Path

import pytest

from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import ROOT, run_minuted
from harness.player import Player, accepted, run, watched
from harness.redis_server import RedisServer
from harness.redis_truth import is_settled
from harness.service import wait_until

PASSWORD = "correct-horse-battery"


def documented_rule():
    """The words of the ACL rule in config/minuted.yaml, behind the password."""
    text = (ROOT / "config/minuted.yaml").read_text()
    rule = re.search(r"ACL SETUSER minuted on >PASSWORD ([^`]*?)\n  # and ", text)[1]
    return re.sub(r"\n\s*#", " ", rule).split()


@pytest.fixture
def guarded(tmp_path, services):
    server = RedisServer(tmp_path / "guarded", requirepass=PASSWORD)
    services.append(server)
    return server.start()


def make_user(server, *rule):
    server.client.execute_command("ACL", "SETUSER", "minuted", "on", f">{PASSWORD}", *rule)


def login(username=None, password=PASSWORD):
    return {"redis": {"password": password, **({"username": username} if username else {})}}


def launched(minuted):
    """Started without waiting for Redis."""
    wait_until(minuted.launch().is_live, "it lives")
    return minuted


def never_told(minuted):
    assert PASSWORD not in minuted.log_text()
    assert PASSWORD not in minuted.admin_client.get("/metrics").body.decode()
    assert PASSWORD not in minuted.readyz()[1]


def watch_and_publish(minuted, server):
    """All that a daemon does with Redis but retiring: sessions, heartbeats, questions, publishing."""
    player = Player(minuted, "teacher-1")
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]
    assert watched(player.progress()) == {"open-1": 10}
    minuted.advance(5 * MINUTE_MS)
    wait_until(lambda: is_settled(server.client), "all is published and settled")
    return player, session


def test_a_password(new_minuted, guarded):
    minuted = new_minuted(guarded, changes=login()).start(NOW_MS)
    watch_and_publish(minuted, guarded)
    never_told(minuted)


def test_a_password_from_a_file(new_minuted, guarded):
    minuted = new_minuted(guarded)
    minuted.file("redis.password", PASSWORD + "\n")
    minuted.change({"redis": {"password_file": "redis.password"}}).start(NOW_MS)
    watch_and_publish(minuted, guarded)


def test_a_password_from_the_environment(new_minuted, guarded):
    minuted = new_minuted(guarded)
    minuted.environment = {"MINUTED_REDIS_PASSWORD": PASSWORD}
    watch_and_publish(minuted.start(NOW_MS), guarded)


def test_no_password_where_one_is_wanted_is_told(new_minuted, guarded):
    minuted = launched(new_minuted(guarded))
    minuted.wait_log("NOAUTH")
    status, text = minuted.readyz()
    assert status == 503 and "NOAUTH" in text and guarded.address in text


def test_a_server_that_asks_for_no_password_is_used_without(new_minuted, redis):
    watch_and_publish(new_minuted(redis, changes=login()).start(NOW_MS), redis)


def test_a_wrong_password_is_told_and_heals_at_the_server(new_minuted, guarded):
    guarded.client.config_set("requirepass", "another-password")
    minuted = launched(new_minuted(guarded, changes=login()))
    minuted.wait_log("WRONGPASS")
    status, text = minuted.readyz()
    assert status == 503 and f"redis server {guarded.address}: WRONGPASS" in text
    looks = minuted.log_text().count("WRONGPASS")
    wait_until(lambda: guarded.client.info("stats")["total_connections_received"] > 8, "it goes on trying")
    assert minuted.log_text().count("WRONGPASS") == looks, "it is said once"
    never_told(minuted)
    guarded.client.config_set("requirepass", PASSWORD)
    wait_until(minuted.is_ready, "ready")
    minuted.wait_connected()
    minuted.set_clock(NOW_MS)
    watch_and_publish(minuted, guarded)


def test_a_password_that_is_changed_stops_nothing_that_is_open_until_it_is_right_again(new_minuted, guarded):
    minuted = new_minuted(guarded, changes=login()).start(NOW_MS)
    player, session = watch_and_publish(minuted, guarded)
    guarded.client.config_set("requirepass", "another-password")
    guarded.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: not minuted.is_ready(), "not ready")
    response = player.post_once(session.heartbeat(run(10_000, 20_000)))
    assert response.status == 503 or response.json()["results"][0]["status"] == "retry"
    assert minuted.admin_client.get("/livez").status == 200
    guarded.client.config_set("requirepass", PASSWORD)
    wait_until(lambda: player.post_once(session.heartbeat(run(10_000, 20_000))).body.count(b'"accepted"'), "accepted")
    never_told(minuted)


# --- ACL ----------------------------------------------------------------------------------------

def test_the_documented_rule_is_enough(new_minuted, guarded):
    make_user(guarded, *documented_rule())
    minuted = new_minuted(guarded, changes={**login("minuted"), "heartbeats": {"horizon": "2h"}}).start(NOW_MS)
    player, session = watch_and_publish(minuted, guarded)
    guarded.client.execute_command("FUNCTION", "FLUSH")
    wait_until(lambda: player.post_once(session.heartbeat(run(10_000, 20_000))).body.count(b'"accepted"'), "loaded again")
    minuted.advance(3 * 60 * MINUTE_MS)  # what was watched is retired
    wait_until(lambda: not [k for k in guarded.client.keys("minuted:*") if b":w:" in k], "the bucket is gone")
    assert "NOPERM" not in minuted.log_text()
    never_told(minuted)


def test_the_documented_rule_names_no_more_than_is_needed_and_a_missing_command_is_told(new_minuted, guarded):
    make_user(guarded, *documented_rule())
    minuted = new_minuted(guarded, changes=login("minuted")).start(NOW_MS)
    commands = [word[1:] for word in documented_rule() if word.startswith("+")]
    commands.remove("cluster|slots")  # asked of clusters alone
    for command, before in zip(commands, [commands[-1], *commands]):
        make_user(guarded, "+" + before, "-" + command)
        guarded.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # new connections are asked at once

        def named():
            text = minuted.readyz()[1]
            return "NOPERM" in text and (f"'{command}'" in text or f"'{command.split('|')[0]}'" in text)
        wait_until(named, f"{command} is named")
    make_user(guarded, "+" + commands[-1])
    wait_until(minuted.is_ready, "ready again")


def test_a_missing_command_is_told_at_the_start(new_minuted, guarded):
    make_user(guarded, *documented_rule(), "-unlink")
    minuted = launched(new_minuted(guarded, changes=login("minuted")))
    wait_until(lambda: "unlink" in minuted.readyz()[1], "the command is named")
    minuted.wait_log("NOPERM")
    make_user(guarded, "+unlink")
    wait_until(minuted.is_ready, "ready")


def test_keys_that_are_not_allowed_are_told_at_the_start(new_minuted, guarded):
    make_user(guarded, *documented_rule(), "resetkeys", "~other:*")
    minuted = launched(new_minuted(guarded, changes=login("minuted")))
    minuted.wait_log("NOPERM")
    assert not minuted.is_ready()


def test_the_documented_rule_knows_what_the_functions_call():
    """In Redis a function may do no more than who calls it."""
    source = (ROOT / "daemon/store/functions.lua").read_text()
    called = {name.lower() for name in re.findall(r"redis\.call\('([A-Z]+)'", source)}
    assert called and called <= {word.lstrip("+").split("|")[0] for word in documented_rule()}
    checked = (ROOT / "daemon/store/functions.c").read_text()
    assert [name for name in sorted(called) if not re.search(rf'"{name.upper()}[ "]', checked)] == []


# --- configuration ------------------------------------------------------------------------------

@pytest.mark.parametrize("redis, words", [
    ({"password": PASSWORD, "password_file": "redis.password"}, ["redis.password", "redis.password_file", "both"]),
    ({"username": "minuted"}, ["redis.username", "without"]),
    ({"username": "", "password": PASSWORD}, ["redis.username", "empty"]),
    ({"password": ""}, ["redis.password", "empty"]),
    ({"password": [PASSWORD]}, ["redis.password", "one value"]),
    ({"password_file": "nowhere"}, ["redis.password_file", "nowhere"]),
    ({"password_file": "empty"}, ["redis.password_file", "empty"]),
])
def test_what_is_wrong_with_it_is_told_with_the_line(new_minuted, redis, words):
    minuted = new_minuted(changes={"redis": redis})
    minuted.file("redis.password", PASSWORD)
    minuted.file("empty", "\n")
    path = minuted.write_config()
    code, output = run_minuted("--config", path, "--dev", "--check-config")
    assert code != 0 and re.search(rf"{re.escape(Path(path).name)}:\d+:", output), output
    assert all(word in output for word in words), output
    assert PASSWORD not in output


def test_check_config_does_not_tell_it(new_minuted):
    minuted = new_minuted(changes=login("minuted"))
    code, output = run_minuted("--config", minuted.write_config(), "--dev", "--check-config")
    assert code == 0 and PASSWORD not in output
