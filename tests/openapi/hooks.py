"""What schemathesis cannot make up: tokens that were given out, lessons that there are, playing that fits the clock.

The specification promises more than a JSON Schema can say, so generated requests are moved towards what it promises,
and what it promises instead of an error is not taken for a failure. Answers are counted for test_openapi.py.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path
from random import Random

import schemathesis

import wire

KNOWN = json.loads(Path(os.environ["MINUTED_OPENAPI_KNOWN"]).read_text())
COUNTS_FILE = Path(os.environ["MINUTED_OPENAPI_COUNTS"])
COUNTS = Counter()
ISSUED = set(KNOWN["session_tokens"])  # and those of sessions that are opened meanwhile
ETAGS = set()
RUN_TIMES = ("from_ms", "to_ms", "media_from_ms", "media_to_ms")
DEVICE_MAX_BYTES = 128


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


# --- requests ------------------------------------------------------------------------------------------------


def is_linked(body):
    """Whether its token came from a session's answer, through a link of the specification."""
    token = body.get("session_token")
    return isinstance(token, str) and token in ISSUED.difference(KNOWN["session_tokens"])


def is_run(value):
    return isinstance(value, dict) and all(isinstance(value.get(name), (int, float)) for name in RUN_TIMES)


def fit_heartbeat(value, dice):
    """A token that was given out, and playing that has happened, in place of most that were made up."""
    if not isinstance(value, dict):
        return
    token = value.get("session_token")
    if isinstance(token, str) and token not in ISSUED and dice.random() < 0.8:
        value["session_token"] = dice.choice(KNOWN["session_tokens"])
    runs = value.get("runs")
    for i, run in enumerate(runs if isinstance(runs, list) else []):
        if is_run(run) and dice.random() < 0.5:
            runs[i] = {**run, **wire.run(dice, KNOWN["played_ms"])}


def fit_heartbeats(body, dice):
    if is_linked(body) and body.pop("heartbeats", None) is not None:
        body["runs"] = []  # a link's token was put into a batch, which would be both forms at once
    fit_heartbeat(body, dice)
    batch = body.get("heartbeats")
    for heartbeat in batch if isinstance(batch, list) else []:
        fit_heartbeat(heartbeat, dice)


def fit_session(body, dice):
    """A lesson of the catalog; and a device's name is measured in bytes, which a schema cannot do."""
    lesson, device = body.get("lesson_id"), body.get("device_id")
    if isinstance(lesson, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", lesson) and dice.random() < 0.6:
        body["lesson_id"] = dice.choice(KNOWN["lessons"])
    if isinstance(device, str) and len(device) <= DEVICE_MAX_BYTES < len(device.encode()):
        body["device_id"] = device.encode()[:DEVICE_MAX_BYTES].decode(errors="ignore")


FIT = {"openSession": fit_session, "sendHeartbeats": fit_heartbeats}


def fit_etag(headers):
    """Of copies that were had before; a cache makes up none."""
    if "If-None-Match" in headers and ETAGS:
        headers["If-None-Match"] = ", ".join(sorted(ETAGS))


@schemathesis.hook
def before_call(context, case, kwargs):
    fit_etag(case.headers)
    if isinstance(case.body, dict) and operation_of(case) in FIT:
        FIT[operation_of(case)](case.body, Random(f"{case.operation.label} {case.body!r}"))


@schemathesis.serializer("text/plain", "application/protobuf")
def write(context, value):
    """To the specification's tools these bodies are any text and any bytes: a request takes the place of a good one."""
    case = context.case
    if case.media_type == "text/plain" and case.meta.generation.mode.is_negative:
        return str(value).encode()
    return wire.request(operation_of(case), case.media_type, Random(repr(value)), KNOWN)


# --- answers -------------------------------------------------------------------------------------------------


def json_of(response, status):
    """Of an answer with STATUS and in JSON; else nothing."""
    good = response.status_code == status and "application/json" in response.headers.get("content-type", [""])[0]
    return response.json() if good else {}


def results_of(response):
    return json_of(response, 200).get("results", [])


def count_results(case, response):
    for result in results_of(response):
        COUNTS[" ".join(filter(None, [result["status"], result.get("reason")]))] += 1
        COUNTS["credited seconds"] += result.get("credited_seconds", 0)
    if isinstance(case.body, dict) and is_linked(case.body):
        COUNTS[f"through a link {response.status_code}"] += 1


@schemathesis.hook
def after_call(context, case, response):
    COUNTS[f"{case.operation.method.upper()} {case.operation.path} {response.status_code}"] += 1
    ETAGS.update(response.headers.get("etag", []))
    ISSUED.update(filter(None, [json_of(response, 201).get("session_token")]))
    count_results(case, response)
    COUNTS_FILE.write_text(json.dumps(COUNTS))


def without_runs(body):
    """A batch in which no run could be refused."""
    batch = body.get("heartbeats") if isinstance(body, dict) else None
    return isinstance(batch, list) and not any(heartbeat.get("runs") for heartbeat in batch)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A malformed run, and in a batch a token that is none, are refused in their results: they spoil no others."""
    told = any(result.get("reason") in ("malformed", "token_invalid") for result in results_of(response))
    silent = response.status_code == 200 and without_runs(case.body)
    return not (type(failure).__name__ == "AcceptedNegativeData" and (told or silent))
