"""Redis behind TLS: one server, sentinels and a cluster; what is wrong with certificates is told as that; and a build that
has no TLS says so.
"""

import asyncio
import re
import shutil
import socket
import threading
from pathlib import Path

import pytest

from harness import jwt
from harness.catalog import MINUTE_MS, NOW_MS
from harness.daemon import AUDIENCE, MINUTED, run_minuted
from harness.http_client import HttpClient
from harness.player import Player, accepted, bearer, run, watched
from harness.proxy import ProxyThread, Relay
from harness.redis_tls import Authority, TlsRedis, TlsSentinel, cluster_node, join_cluster
from harness.redis_truth import is_settled
from harness.service import wait_until

HAS_TLS = b"redisInitiateSSL" in MINUTED.read_bytes() if MINUTED.exists() else False
with_tls = pytest.mark.skipif(not HAS_TLS, reason="this build's hiredis has no TLS")
without_tls = pytest.mark.skipif(HAS_TLS, reason="this build's hiredis has TLS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A CA that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("other"), "another CA")


@pytest.fixture(scope="module")
def client(authority):
    return authority.sign("client", names="")


@pytest.fixture
def new_redis(tmp_path, services, authority):
    def new(pair=None, name="redis", **settings):
        server = TlsRedis(tmp_path / name, authority, pair, **settings)
        services.append(server)
        return server.start()
    return new


def tls(authority, client=None, **more):
    pair = {"cert": str(client[0]), "key": str(client[1])} if client else {}
    return {"redis": {"tls": {"ca": str(authority.certificate), **pair, **more}}}


def launched(minuted):
    """Started without waiting for Redis."""
    wait_until(minuted.launch().is_live, "it lives")
    return minuted


def told(minuted, words):
    """In the log and to whoever asks why it is not ready."""
    minuted.wait_log(words)
    wait_until(lambda: minuted.readyz()[0] == 503 and words in minuted.readyz()[1], f"readyz tells {words!r}")


def watch_and_publish(minuted, servers, learners=1):
    players = [Player(minuted, f"teacher-{i}") for i in range(learners)]
    sessions = [player.open("open-1") for player in players]
    minuted.advance(MINUTE_MS)
    for player, session in zip(players, sessions):
        assert player.send(session, run(0, 10_000)) == [accepted(10)]
        assert watched(player.progress()) == {"open-1": 10}
    minuted.advance(5 * MINUTE_MS)
    wait_until(lambda: all(is_settled(server.client) for server in servers), "all is published and settled")


# --- all ways to Redis --------------------------------------------------------------------------

@with_tls
def test_one_server(new_minuted, new_redis, authority, client):
    server = new_redis()
    minuted = new_minuted(server, changes=tls(authority, client)).start(NOW_MS)
    watch_and_publish(minuted, [server])


@with_tls
def test_the_nodes_of_a_cluster(new_minuted, new_redis, authority, client):
    servers = [new_redis(name=f"redis-{i}", **cluster_node()) for i in range(3)]
    join_cluster(servers)
    minuted = new_minuted(servers[1], changes=tls(authority, client))
    minuted.launch()
    minuted.wait_ready(minuted.is_ready)
    minuted.set_clock(NOW_MS)
    watch_and_publish(minuted, servers, learners=24)
    for server in servers:
        assert [key for key in server.client.keys("minuted:*") if b":t:" in key], "each has some of the learners"


@with_tls
def test_sentinels_and_their_primary(new_minuted, new_redis, services, tmp_path, authority, client):
    server = new_redis()
    sentinel = TlsSentinel(tmp_path / "sentinel", authority, {"training": server})
    services.append(sentinel)
    minuted = new_minuted(sentinel.start(), changes=tls(authority, client)).start(NOW_MS)
    watch_and_publish(minuted, [server])


@with_tls
def test_a_password_goes_through_it(new_minuted, new_redis, authority, client):
    server = new_redis()
    server.client.config_set("requirepass", "correct-horse-battery")
    changes = tls(authority, client)
    changes["redis"]["password"] = "correct-horse-battery"
    minuted = new_minuted(server, changes=changes).start(NOW_MS)
    server.client.execute_command("AUTH", "correct-horse-battery")
    watch_and_publish(minuted, [server])


@with_tls
def test_no_client_certificate_where_none_is_wanted(new_minuted, new_redis, authority):
    server = new_redis(**{"tls-auth-clients": "no"})
    watch_and_publish(new_minuted(server, changes=tls(authority)).start(NOW_MS), [server])


# --- names --------------------------------------------------------------------------------------

@with_tls
def test_a_server_of_another_name_is_not_used_unless_it_is_asked_for(new_minuted, new_redis, authority, client):
    server = new_redis(authority.sign("named", "DNS:redis.example,DNS:*.training.example"))
    minuted = launched(new_minuted(server, changes=tls(authority, client)))
    told(minuted, "its certificate is for redis.example, *.training.example, and not for 127.0.0.1")
    assert server.client.info("clients")["connected_clients"] <= 1 and not server.client.keys("*")
    minuted.stop()
    for i, name in enumerate(["redis.example", "one.training.example"]):
        named = new_minuted(server, name=f"named-{i}", changes=tls(authority, client, server_name=name))
        named.start().stop()


@with_tls
def test_a_configured_name_is_verified(new_minuted, new_redis, authority, client):
    server = new_redis(authority.sign("localhost", "DNS:localhost"))
    minuted = new_minuted(server, changes=tls(authority, client))
    minuted.change({"redis": {"servers": [f"localhost:{server.port}"]}}).start(NOW_MS)
    watch_and_publish(minuted, [server])


@with_tls
def test_a_node_that_is_told_by_its_address_must_have_it_in_its_certificate(new_minuted, new_redis, authority, client):
    """The cluster is asked by name, and says 127.0.0.1."""
    server = new_redis(authority.sign("localhost", "DNS:localhost"), **cluster_node())
    server.client.config_set("cluster-announce-ip", "127.0.0.1")
    join_cluster([server])
    minuted = new_minuted(server, changes=tls(authority, client))
    minuted.change({"redis": {"servers": [f"localhost:{server.port}"]}})
    told(launched(minuted), "its certificate is for localhost, and not for 127.0.0.1")
    minuted.stop()
    named = new_minuted(server, name="named", changes=tls(authority, client, server_name="localhost"))
    named.start().stop()


# --- what is wrong with the other side ----------------------------------------------------------

@with_tls
def test_a_certificate_that_lapsed_is_told(new_minuted, new_redis, authority, client):
    server = new_redis(authority.sign("lapsed", ends="20240229120000Z"))
    told(launched(new_minuted(server, changes=tls(authority, client))), "its certificate lapsed at 2024-02-29T12:00:00Z")


@with_tls
def test_a_certificate_that_is_not_valid_yet_is_told(new_minuted, new_redis, authority, client):
    server = new_redis(authority.sign("early", starts="20900101000000Z"))
    told(launched(new_minuted(server, changes=tls(authority, client))),
         "its certificate is not valid before 2090-01-01T00:00:00Z")


@with_tls
def test_an_unknown_ca_is_told(new_minuted, new_redis, other, client):
    changes = tls(other, client)
    told(launched(new_minuted(new_redis(), changes=changes)), "its certificate is from a CA that is not in redis.tls.ca: ca")


@with_tls
def test_a_client_certificate_that_is_missing_is_told(new_minuted, new_redis, authority):
    told(launched(new_minuted(new_redis(), changes=tls(authority))), "the server wants a client certificate")


@with_tls
def test_a_client_certificate_of_an_unknown_ca_is_told(new_minuted, new_redis, authority, other):
    changes = tls(authority, other.sign("client"))
    told(launched(new_minuted(new_redis(), changes=changes)), "the server does not know the CA of the certificate in redis.tls")


@with_tls
def test_a_server_without_tls_is_told(new_minuted, redis, authority):
    """What it answers to a handshake depends on the bytes of the handshake; sometimes nothing."""
    minuted = launched(new_minuted(redis, changes=tls(authority)))
    wait_until(lambda: "does not speak TLS" in minuted.log_text() or "in time" in minuted.log_text()
               or "closed in the TLS handshake" in minuted.log_text(), "it is told")
    assert not minuted.is_ready()


def test_a_server_that_speaks_tls_alone_is_told(new_minuted, new_redis):
    told(launched(new_minuted(new_redis())), "speaks TLS alone")


@with_tls
def test_a_server_that_never_ends_a_handshake_holds_up_nothing(new_minuted, new_redis, authority, client):
    """The workers' connections give up and try again, and players are answered meanwhile."""
    server = new_redis()
    minuted = new_minuted(server, changes=tls(authority, client)).start(NOW_MS)
    session = Player(minuted, "teacher-1").open("open-1")
    minuted.advance(MINUTE_MS)
    server.kill()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", server.port))
        silent.listen(64)
        connections = []

        def given_up():
            silent.settimeout(0.1)
            try:
                connections.append(silent.accept()[0])
            except TimeoutError:
                pass
            assert minuted.client.post("/v1/heartbeats", session.heartbeat(run(0, 10_000))).status == 503
            return minuted.log_text().count('reason="no connection in time"') >= 8
        wait_until(given_up, "the workers' connections give up again and again")
        wait_until(lambda: "no answer in time" in minuted.readyz()[1], "the monitor tells it")
        for connection in connections:
            connection.close()
    server.start()
    wait_until(minuted.is_ready, "ready again")
    assert Player(minuted, "teacher-1").send(session, run(0, 10_000)) == [accepted(10)]


@with_tls
def test_what_a_server_turns_into_is_told_by_the_workers_too(new_minuted, new_redis, authority, client):
    server = new_redis()
    minuted = new_minuted(server, changes=tls(authority, client)).start(NOW_MS)
    good = server.settings
    server.settings = {**good, **authority.tls_settings(authority.sign("lapsed", ends="20240229120000Z"))}
    server.restart()
    minuted.wait_log("event=redis_tls_failed")
    told(minuted, "its certificate lapsed at 2024-02-29T12:00:00Z")
    server.settings = good
    server.restart()
    wait_until(minuted.is_ready, "ready again")


# --- while it runs ------------------------------------------------------------------------------

@with_tls
def test_new_files_are_used_without_a_restart(new_minuted, new_redis, tmp_path, authority, other, client):
    server = new_redis()
    mine = tmp_path / "mine"
    mine.mkdir()

    def put(ca, pair):
        for name, path in (("ca", ca.certificate), ("cert", pair[0]), ("key", pair[1])):
            shutil.copy(path, mine / f"{name}.partial")
            (mine / f"{name}.partial").rename(mine / f"{name}.pem")
    put(authority, client)
    files = {name: str(mine / f"{name}.pem") for name in ("ca", "cert", "key")}
    minuted = new_minuted(server, changes={"redis": {"tls": files}}).start(NOW_MS)
    watch_and_publish(minuted, [server])

    (mine / "key.pem").write_text("nothing of use")
    minuted.wait_log("redis_tls_not_reloaded")
    server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(minuted.is_ready, "what was read before stays in use")

    put(other, other.sign("client"))
    server.settings |= other.tls_settings(other.sign("server"))
    server.client = other.new_client(server.port)
    server.restart()
    wait_until(minuted.is_ready, "ready with the new ones")
    minuted.wait_log("redis_tls_reloaded")
    player = Player(minuted, "teacher-later")
    session = player.open("open-1")
    minuted.advance(MINUTE_MS)
    assert player.send(session, run(0, 10_000)) == [accepted(10)]


class Dribble(Relay):
    """What the target answers arrives a few bytes at a time, so that a reader has to wait amid every record of TLS."""

    async def converse(self, reader, writer, target_reader, target):
        await asyncio.gather(self._pass(reader, target, 65536), self._pass(target_reader, writer, 50))

    async def _pass(self, reader, writer, piece):
        while data := await reader.read(piece):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.001)  # sleeps: the network between two packets


@pytest.fixture
def proxies():
    thread = ProxyThread()
    yield thread
    thread.stop()


@with_tls
def test_forged_tokens_break_no_connection(new_minuted, new_redis, proxies, authority, client):
    """A signature that does not fit leaves an error in OpenSSL's queue of the thread, which asks the same queue whether TLS
    waits or has failed.
    """
    server, key = new_redis(), jwt.rsa_key()
    relay = proxies.open(Dribble, server.port)
    minuted = new_minuted(relay, changes=tls(authority, client))
    public = minuted.file("platform.pem", jwt.public_pem(key))
    minuted.change({"http": {"workers": 1}, "auth": {"issuers": [
        {"issuer": "https://platform.example", "audience": AUDIENCE, "portal": "higher", "public_key_file": str(public)},
        minuted.config["auth"]["issuers"][1]]}}).start(NOW_MS)
    claims = {"iss": "https://platform.example", "aud": AUDIENCE, "sub": "teacher", "exp": NOW_MS // 1000 + 3600}
    forged = bearer(jwt.encode(claims, jwt.rsa_key(), "RS256"))
    player = Player(minuted, "teacher-1", "basic")
    session = player.open("open-1")
    minuted.advance(10 * MINUTE_MS)
    results = []

    def play():
        for i in range(20):
            results.extend(player.send(session, run(i * 1000, i * 1000 + 1000)))
    thread = threading.Thread(target=play)
    thread.start()
    forger, tried = HttpClient(minuted.port), 0
    while thread.is_alive():
        assert forger.post("/v1/sessions", {"lesson_id": "open-1", "device_id": "d"}, headers=forged).status == 401
        tried += 1
    thread.join()
    assert tried > len(results) == 20 and results == [accepted(1)] * 20
    assert "redis_disconnected" not in minuted.log_text()


@with_tls
def test_a_great_batch_passes(new_minuted, new_redis, authority, client):
    """More than a record of TLS, and more than the kernel takes at once, both ways."""
    server = new_redis()
    minuted = new_minuted(server, changes={**tls(authority, client), "http": {"max_body": "1MiB"}}).start(NOW_MS)
    sessions = [Player(minuted, f"teacher-{i}" + "x" * 100).open("open-1") for i in range(200)]
    minuted.advance(MINUTE_MS)
    heartbeats = [session.heartbeat(run(0, 10_000)) for session in sessions]
    results = []
    for half in (heartbeats[:100], heartbeats[100:]):
        results += Player(minuted, "gateway").post({"heartbeats": half}).json()["results"]
    assert results == [accepted(10)] * 200


# --- configuration ------------------------------------------------------------------------------

def check(minuted, files, servers=None):
    minuted.change({"redis": {"tls": files, **({"servers": servers} if servers else {})}})
    code, output = run_minuted("--config", minuted.write_config(), "--dev", "--check-config")
    return code, output


@pytest.fixture(scope="module")
def bad(tmp_path_factory, authority, client):
    """Files of which something is wrong, by a name for each."""
    directory = tmp_path_factory.mktemp("bad")
    (directory / "empty").write_text("")
    (directory / "no.pem").write_text("no PEM\n")
    (directory / "spoiled.pem").write_text(authority.certificate.read_text().replace("M", "-", 1))
    (directory / "both.pem").write_text(client[0].read_text() + client[1].read_text())
    shutil.copy(authority.sign("lapsed", ends="20240229120000Z")[0], directory / "lapsed.pem")
    lapsed = authority.directory / "lapsed.key"
    return {"directory": directory, "ca": authority.certificate, "cert": client[0], "key": client[1],
            "another key": authority.sign("another")[1], "encrypted": authority.encrypt_key(client[1]),
            "lapsed": directory / "lapsed.pem", "lapsed key": lapsed,
            **{name: directory / name for name in ("empty", "no.pem", "spoiled.pem", "both.pem", "nowhere")}}


@with_tls
@pytest.mark.parametrize("files, words", [
    ({"ca": "nowhere"}, ["redis.tls.ca", "nowhere", "No such file"]),
    ({"ca": "directory"}, ["redis.tls.ca", "cannot be read", "directory"]),
    ({"ca": "empty"}, ["redis.tls.ca", "holds no certificate"]),
    ({"ca": "no.pem"}, ["redis.tls.ca", "holds no certificate"]),
    ({"ca": "key"}, ["redis.tls.ca", "holds no certificate"]),
    ({"ca": "lapsed"}, ["redis.tls.ca", "lapsed at 2024-02-29T12:00:00Z"]),
    ({"cert": "cert", "key": "key"}, ["redis.tls.ca", "without"]),
    ({"ca": "ca", "cert": "cert"}, ["redis.tls.cert", "without redis.tls.key"]),
    ({"ca": "ca", "key": "key"}, ["redis.tls.key", "without redis.tls.cert"]),
    ({"ca": "ca", "cert": "nowhere", "key": "key"}, ["redis.tls.cert", "No such file"]),
    ({"ca": "ca", "cert": "cert", "key": "nowhere"}, ["redis.tls.key", "No such file"]),
    ({"ca": "ca", "cert": "key", "key": "key"}, ["redis.tls.cert", "holds no certificate"]),
    ({"ca": "ca", "cert": "cert", "key": "cert"}, ["redis.tls.key", "holds no private key"]),
    ({"ca": "ca", "cert": "cert", "key": "another key"}, ["redis.tls.key", "does not fit"]),
    ({"ca": "ca", "cert": "cert", "key": "encrypted"}, ["redis.tls.key", "is encrypted"]),
    ({"ca": "ca", "cert": "lapsed", "key": "lapsed key"}, ["redis.tls.cert", "lapsed at 2024-02-29T12:00:00Z"]),
])
def test_files_are_checked_and_told_with_the_line(new_minuted, bad, files, words):
    code, output = check(new_minuted(), {key: str(bad[name]) for key, name in files.items()})
    assert code != 0 and re.search(r"minuted\.yaml:\d+: ", output), output
    assert all(word in output for word in words), output
    assert "PRIVATE KEY" not in output


@with_tls
def test_a_spoiled_certificate_is_told(new_minuted, bad):
    code, output = check(new_minuted(), {"ca": str(bad["spoiled.pem"])})
    assert code != 0 and "redis.tls.ca" in output, output


@with_tls
def test_certificate_and_key_may_be_one_file(new_minuted, bad):
    code, output = check(new_minuted(), {"ca": str(bad["ca"]), "cert": str(bad["both.pem"]), "key": str(bad["both.pem"])})
    assert code == 0, output


@with_tls
def test_a_unix_socket_never_speaks_it(new_minuted, bad):
    code, output = check(new_minuted(), {"ca": str(bad["ca"])}, ["unix:/run/redis.sock"])
    assert code != 0 and "unix:/run/redis.sock" in output, output


@with_tls
def test_a_daemon_does_not_start_with_files_that_are_no_use(new_minuted, bad):
    minuted = new_minuted(changes={"redis": {"tls": {"ca": str(bad["nowhere"])}}}).launch()
    assert minuted.wait_exit() != 0 and "redis.tls.ca" in minuted.log_text()


@pytest.mark.parametrize("tls_section, words", [
    ({"ca": ""}, ["redis.tls.ca", "empty"]),
    ({"ca": ["a"]}, ["redis.tls.ca", "one value"]),
    ({"crt": "a"}, ["redis.tls.crt", "unknown key"]),
    ("on", ["redis.tls", "section"]),
])
def test_what_is_no_configuration_is_told_with_the_line(new_minuted, tls_section, words):
    code, output = check(new_minuted(), tls_section)
    assert code != 0 and re.search(r"minuted\.yaml:\d+: ", output), output
    assert all(word in output for word in words), output


@without_tls
@pytest.mark.parametrize("key", ["ca", "cert", "key", "server_name"])
def test_a_build_without_it_says_so_and_names_a_proxy(new_minuted, key):
    minuted = new_minuted(changes={"redis": {"tls": {key: "value"}}})
    code, output = run_minuted("--config", minuted.write_config(), "--dev", "--check-config")
    assert code != 0 and re.search(rf"{re.escape(Path(minuted.config_path).name)}:\d+: ", output), output
    assert "hiredis 0.14" in output and "stunnel" in output, output
    assert minuted.launch().wait_exit() != 0


@without_tls
def test_a_build_without_it_says_so_also_of_the_environment(new_minuted):
    path = new_minuted().write_config()
    code, output = run_minuted("--config", path, "--dev", "--check-config", env={"MINUTED_REDIS_TLS_CA": "/ca.pem"})
    assert code != 0 and "MINUTED_REDIS_TLS_CA" in output and "hiredis 0.14" in output, output
