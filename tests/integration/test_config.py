"""What --check-config says: good, or file, line and what is wrong; never more than asked."""

import shutil
import socket

import pytest

from harness.daemon import ROOT, run_minuted


def check(minuted, *argv, env=None):
    return run_minuted("--config", minuted.write_config(), "--dev", "--check-config", *argv, env=env)


def line_of(path, text):
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_good(new_minuted):
    minuted = new_minuted()
    code, output = check(minuted)
    assert code == 0 and "integration" in output, output


def test_version_and_help():
    assert run_minuted("--version")[1].startswith("minuted ")
    code, output = run_minuted("--help")
    assert code == 0 and "--check-config" in output


@pytest.mark.parametrize("argv", [["--no-such-option"], ["extra"], ["--set", "no-equals-sign"], ["--config"]])
def test_wrong_usage(argv):
    code, output = run_minuted(*argv)
    assert code == 2 and output


def test_the_shipped_configurations_are_good(tmp_path):
    for path in ROOT.glob("config/*.yaml"):
        shutil.copy(path, tmp_path)
    for name in ("session.key", "platform.secret"):
        (tmp_path / name).write_text("x" * 40)
    code, output = run_minuted("--config", tmp_path / "minuted.yaml", "--check-config")
    assert code == 0, output
    code, output = run_minuted("--set", f"catalog={tmp_path / 'demo.yaml'}", "--set",
                               f"auth.session_key_file={tmp_path / 'session.key'}", "--dev", "--check-config")
    assert code == 0, output


WRONG = {
    "unknown key": ({"http": {"listn": "127.0.0.1:1"}}, "listn", ["listn", "listen"]),
    "unknown section": ({"redsi": {"linger": "1ms"}}, "redsi", ["redsi", "redis"]),
    "key of another section": ({"http": {"linger": "1ms"}}, "linger", ["linger"]),
    "duration without a unit": ({"redis": {"linger": "fast"}}, "linger", ["redis.linger", "fast"]),
    "negative duration": ({"http": {"idle_timeout": "-1s"}}, "idle_timeout", ["idle_timeout"]),
    "size": ({"http": {"max_body": "64 apples"}}, "max_body", ["max_body"]),
    "number": ({"http": {"max_connections": "many"}}, "max_connections", ["max_connections", "many"]),
    "listen without a port": ({"http": {"listen": ["127.0.0.1"]}}, "127.0.0.1", ["listen"]),
    "listen past the ports": ({"admin": {"listen": "127.0.0.1:70000"}}, "70000", ["listen", "70000"]),
    "mode": ({"redis": {"mode": "clustre"}}, "clustre", ["redis.mode", "clustre", "cluster"]),
    "durability": ({"redis": {"durability": "some"}}, "durability", ["durability", "some"]),
    "format": ({"kafka": {"format": "xml"}}, "xml", ["kafka.format", "xml", "json"]),
    "log level": ({"log": {"level": "loud"}}, "loud", ["log.level", "loud"]),
    "partitions": ({"redis": {"partitions": 0}}, "partitions", ["partitions"]),
    "base path": ({"http": {"base_path": "minutes/"}}, "base_path", ["base_path"]),
    "horizon under two hours": ({"heartbeats": {"horizon": "1h"}}, "horizon", ["heartbeats.horizon", "1h"]),
    "grace under the interval": ({"publish": {"grace": "5s"}}, "grace", ["grace"]),
    "a section that is a list": ({"redis": ["127.0.0.1:1"]}, "redis", ["redis"]),
    "a list where one is wanted": ({"kafka": {"deployment": ["a", "b"]}}, "deployment", ["deployment"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_named_with_file_and_line(new_minuted, name):
    changes, _, words = WRONG[name]
    minuted = new_minuted(changes=changes)
    code, output = check(minuted)
    assert code == 1, output
    assert f"{minuted.config_path}:" in output, output
    for word in words:
        assert word in output, output


@pytest.mark.parametrize("name", ["unknown key", "mode", "format", "log level"])
def test_the_line_is_the_right_one(new_minuted, name):
    changes, text, _ = WRONG[name]
    minuted = new_minuted(changes=changes)
    _, output = check(minuted)
    assert f"{minuted.config_path}:{line_of(minuted.config_path, text)}:" in output, output


def test_all_problems_are_told_at_once(new_minuted):
    minuted = new_minuted(changes={"http": {"listn": 1}, "log": {"level": "loud"}})
    output = check(minuted)[1]
    assert "listn" in output and "loud" in output


def test_broken_yaml(new_minuted):
    minuted = new_minuted()
    path = minuted.file("broken.yaml", "http:\n  listen: [127.0.0.1:8080\nredis: {}\n")
    code, output = run_minuted("--config", path, "--check-config")
    assert code == 1 and f"{path}:" in output


def test_a_key_given_twice(new_minuted):
    minuted = new_minuted()
    path = minuted.write_config()
    path.write_text(path.read_text() + "log: {level: info}\nlog: {level: warn}\n")
    code, output = run_minuted("--config", path, "--dev", "--check-config")
    assert code == 1 and "log" in output


def test_missing_files_are_named(new_minuted, tmp_path):
    code, output = run_minuted("--config", tmp_path / "nowhere.yaml", "--check-config")
    assert code == 1 and "nowhere.yaml" in output
    minuted = new_minuted(changes={"catalog": str(tmp_path / "no-catalog.yaml")})
    code, output = check(minuted)
    assert code == 1 and "no-catalog.yaml" in output
    minuted = new_minuted(changes={"auth": {"session_key_file": [str(tmp_path / "no.key")]}})
    code, output = check(minuted)
    assert code == 1 and "no.key" in output


def test_a_short_secret_is_refused_and_not_shown(new_minuted):
    minuted = new_minuted()
    minuted.session_key.write_text("short-and-secret")
    code, output = check(minuted)
    assert code == 1 and "32" in output and "short-and-secret" not in output


CATALOGS = {
    "two equal lessons": (("open-2", "open-1"), ["open-1"]),
    "two equal courses": (("id: past,", "id: open,"), ["open"]),
    "unknown key": (("minutes_per_hour", "minutes_per_hours"), ["minutes_per_hours", "minutes_per_hour"]),
    "wrong day": (("2023-02-28", "2023-02-30"), ["2023-02-30"]),
    "closes before it opens": (("closes: 2023-01-19", "closes: 2022-01-19"), ["past"]),
    "unknown zone": (("Asia/Shanghai", "Asia/Shanghigh"), ["Asia/Shanghigh"]),
    "bad program": (("program: integration", "program: winter 2023"), ["program 'winter 2023'"]),
    "bad lesson id": (("open-3", "open/3"), ["open/3"]),
    "negative length": (("length: 600", "length: -600"), ["length"]),
}


@pytest.mark.parametrize("name", CATALOGS)
def test_a_broken_catalog_is_named_with_file_and_line(new_minuted, catalog, name):
    (old, new), words = CATALOGS[name]
    catalog.write_text(catalog.read_text().replace(old, new))
    code, output = check(new_minuted())
    assert code == 1 and f"{catalog}:" in output, output
    for word in words:
        assert word in output, output


# --- Kafka's client -----------------------------------------------------------------------------

PROPERTIES = {
    "unknown": ({"security.protocl": "ssl"}, "security.protocl", ["No such configuration property"]),
    "out of range": ({"client.id": "x", "linger.ms": -5}, "linger.ms", ["-5", "0..900000"]),
    "with a unit": ({"linger.ms": "5s"}, "linger.ms", ["plain number"]),
    "a CA that is not there": ({"client.id": "x", "ssl.ca.location": "/nowhere"}, "ssl.ca.location", ["failed"]),
    "a CA that is not there, asked for": (
        {"security.protocol": "ssl", "ssl.ca.location": "/nowhere"}, "ssl.ca.location", ["failed"]),
    "a mechanism that is not built in": (
        {"security.protocol": "sasl_ssl", "sasl.mechanism": "ROT13"}, "sasl.mechanism", ["ROT13"]),
    "against the protocol": ({"client.id": "x", "enable.idempotence": False}, "enable.idempotence", ["itself"]),
    "against each other": ({"client.id": "x", "max.in.flight": 50}, "max.in.flight", ["<= 5"]),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_that_cannot_work_are_refused_by_check_and_at_start(new_minuted, name):
    properties, key, words = PROPERTIES[name]
    minuted = new_minuted(brokers="127.0.0.1:1", changes={"kafka": {"properties": properties}})
    code, output = check(minuted)
    assert code == 1, output
    expected = [f"{minuted.config_path}:{line_of(minuted.config_path, key + ':')}: kafka.properties.{key}: ", *words]
    minuted.launch()
    assert minuted.wait_exit() == 1
    for text in (output, minuted.log_text()):
        assert [word for word in expected if word not in text] == [], text
    code, output = run_minuted("--config", minuted.config_path, "--dev", "--create-topics")
    assert code == 1 and expected[0] in output, output


def test_a_property_that_nobody_heeds_is_noted_and_good(new_minuted):
    minuted = new_minuted(brokers="127.0.0.1:1", changes={"kafka": {"properties": {"group.id": "x"}}})
    code, output = check(minuted)
    assert code == 0 and "kafka.properties.group.id: " in output and "is valid" in output, output


def test_checking_asks_no_broker(new_minuted):
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(0)
        code, output = check(new_minuted(brokers=f"127.0.0.1:{broker.getsockname()[1]}"))
        assert code == 0, output
        with pytest.raises(BlockingIOError):
            broker.accept()


@pytest.mark.parametrize("brokers", ["127.0.0.1:9092:9092", "a;b", "127.0.0.1:kafka"])
def test_brokers_that_are_no_addresses_are_refused(new_minuted, brokers):
    minuted = new_minuted(brokers=brokers)
    code, output = check(minuted)
    assert code == 1 and f"{minuted.config_path}:{line_of(minuted.config_path, 'brokers:')}: kafka.brokers: " in output


# --- what stands above the file -----------------------------------------------------------------

def test_wrong_overrides_name_where_they_stand(new_minuted):
    minuted = new_minuted()
    code, output = check(minuted, env={"MINUTED_LOG_LEVEL": "loud"})
    assert code == 1 and "MINUTED_LOG_LEVEL" in output
    code, output = check(minuted, "--set", "log.level=silent")
    assert code == 1 and "log.level" in output and "silent" in output
    code, output = check(minuted, "--set", "log.levle=info")
    assert code == 1 and "levle" in output and "level" in output


def test_an_environment_variable_of_no_key_is_an_error(new_minuted):
    code, output = check(new_minuted(), env={"MINUTED_HTTP_LISTN": "127.0.0.1:1"})
    assert code == 1 and "MINUTED_HTTP_LISTN" in output


def services(name, port, address="10.0.0.11"):
    """What Kubernetes puts into a container's environment for a Service of one port, which has a name."""
    variables = {"SERVICE_HOST": address, "SERVICE_PORT": port, "SERVICE_PORT_MAIN": port}
    for protocol in ("tcp", "udp", "sctp"):
        one = f"PORT_{port}_{protocol.upper()}"
        variables |= {"PORT": f"tcp://{address}:{port}", one: f"{protocol}://{address}:{port}", f"{one}_PROTO": protocol,
                      f"{one}_PORT": port, f"{one}_ADDR": address}
    return {f"{name.upper().replace('-', '_')}_{suffix}": str(value) for suffix, value in variables.items()}


def test_services_of_kubernetes_do_not_stop_the_start(new_minuted, redis):
    minuted = new_minuted(redis)
    minuted.environment = {k: v for name in ("minuted", "minuted-redis", "minuted-http", "minuted-kafka-0")
                           for k, v in services(name, 8080).items()}
    code, output = check(minuted, env=minuted.environment)
    assert code == 0, output
    minuted.start()
    told = [line for line in minuted.log_text().splitlines() if "event=environment_ignored" in line]
    assert len(told) == 1 and f"variables={len(minuted.environment)}" in told[0], told


def test_what_is_meant_for_a_key_is_no_service(new_minuted):
    for name, value in [("MINUTED_REDIS_PORT", "6379"), ("MINUTED_PORT", "8080"), ("MINUTED_SERVICE_HOST", "minuted"),
                        ("MINUTED_HTTP_LISTN", "tcp://10.0.0.11:80")]:
        code, output = check(new_minuted(), env={**services("minuted", 80), name: value})
        assert code == 1 and f"environment {name}: no such key" in output, output
        assert len(output.splitlines()) == 1, output


def test_set_over_environment_over_file(new_minuted, redis):
    def path_of(name, argv, env):
        minuted = new_minuted(redis, name=name, changes={"http": {"base_path": "/file"}})
        minuted.arguments, minuted.environment = argv, env
        minuted.launch()
        minuted.wait_ready(minuted.is_ready)
        return [p for p in ("/file", "/env", "/set") if minuted.client.get(f"{p}/v1/progress").status == 401]
    env = {"MINUTED_HTTP_BASE_PATH": "/env"}
    assert path_of("file", [], {}) == ["/file"]
    assert path_of("env", [], env) == ["/env"]
    assert path_of("set", ["--set", "http.base_path=/set"], env) == ["/set"]


# --- keys of issuers ----------------------------------------------------------------------------

@pytest.mark.parametrize("key, content", [
    ("public_key_file", "no key at all"), ("jwks_file", "{}"), ("jwks_file", "not json"),
    ("public_key_file", None)])
def test_a_bad_key_file_is_named(new_minuted, key, content):
    minuted = new_minuted()
    path = minuted.directory / "bad.key"
    if content is not None:
        path.write_text(content)
    minuted.change({"auth": {"issuers": [{"issuer": "i", "portal": "higher", key: str(path)}]}})
    code, output = check(minuted)
    assert code == 1 and "bad.key" in output, output


def test_an_issuers_portal_must_be_the_catalogs(new_minuted):
    """Its learners could watch, and nobody would ever certify it."""
    minuted = new_minuted()
    issuers = [{**issuer, "portal": f"{issuer['portal']}s"} for issuer in minuted.config["auth"]["issuers"]]
    minuted.change({"auth": {"issuers": issuers}})
    code, output = check(minuted)
    assert code == 1, output
    for issuer in issuers:
        line = line_of(minuted.config_path, issuer["issuer"])
        assert (f"{minuted.config_path}:{line}: issuer '{issuer['issuer']}': portal '{issuer['portal']}' is not in the "
                f"catalog; did you mean '{issuer['portal'][:-1]}'?") in output, output


def test_an_issuer_needs_exactly_one_key(new_minuted):
    minuted = new_minuted()
    issuer = {"issuer": "i", "portal": "higher"}
    minuted.change({"auth": {"issuers": [issuer]}})
    assert check(minuted)[0] == 1
    both = {**issuer, "secret_file": str(minuted.secret_file), "jwks_file": str(minuted.secret_file)}
    minuted.change({"auth": {"issuers": [both]}})
    assert check(minuted)[0] == 1


def test_listening_on_a_port_in_use_is_an_error(new_minuted, redis):
    first = new_minuted(redis, name="first").start()
    second = new_minuted(redis, name="second", changes={"admin": {"listen": f"127.0.0.1:{first.admin_port}"}})
    second.launch()
    assert second.wait_exit() == 1
    assert str(first.admin_port) in second.log_text()


def test_dev_is_for_loopback_only(new_minuted):
    code, output = check(new_minuted(changes={"http": {"listen": ["0.0.0.0:18080"]}}))
    assert code == 1 and "--dev" in output and "loopback" in output
