"""Brings claims to the daemons until each has its answer. A lost reply is a resend, never a loss."""

import asyncio
import json
from collections import Counter

from harness.records import proto

from .web import Lost

RUNS_MAX = 256
SHUFFLE_MAX = 64    # so that a request whose every run names its session stays within http.max_body
PAUSE_MAX_S = 2.0   # a storm is short: Retry-After is obeyed up to here


class Post:
    """One queue of claims with a connection of its own: a browser's, a phone's, or a gateway's for many learners."""

    def __init__(self, web, rng, report, form="json"):
        self.web, self.rng, self.report, self.form = web, rng, report, form
        self.queue = []

    def put(self, claim):
        self.queue.append(claim)

    async def open(self, learner, lesson, device):
        """The answer to a session request; asked for until it is given."""
        body = json.dumps({"lesson_id": lesson, "device_id": device}).encode()
        headers = [f"Authorization: Bearer {learner.token}"]
        while True:
            try:
                answer = await self.web.request("POST", "/v1/sessions", body, headers=headers)
            except Lost:
                self.report.answers["lost session"] += 1
                await asyncio.sleep(self.rng.uniform(0.05, 0.5))
                continue
            if answer.status == 201:
                return answer.json()
            await self._wait_out(answer, "session")

    async def send(self):
        """One request with what is queued, at most; claims without an answer stay."""
        claims = self.queue[:self.rng.choice((RUNS_MAX, RUNS_MAX, 40))]
        if not claims:
            return
        if len(claims) <= SHUFFLE_MAX and self.rng.random() < 0.1:
            self.rng.shuffle(claims)
        for claim in claims:
            claim.tries += 1
        try:
            answer = await self.web.request("POST", "/v1/heartbeats", *encode(self.form, claims))
        except Lost:
            self.report.answers["lost heartbeat"] += 1
            await asyncio.sleep(self.rng.uniform(0.0, 0.3))
            return
        if answer.status == 200:
            self._take(claims, decode(self.form, answer))
        elif answer.status == 401 and not any(c.deserved for c in claims):
            self.report.answers["401 forged"] += 1
            self._drop(claims)
        else:
            await self._wait_out(answer, "heartbeat")

    async def drain(self):
        while self.queue:
            before = len(self.queue)
            await self.send()
            if len(self.queue) == before:
                await asyncio.sleep(0.2)

    async def _wait_out(self, answer, what):
        self.report.answers[f"{answer.status} {what}"] += 1
        if answer.status != 503:
            self.report.problem(f"{what} answered {answer}")
        await asyncio.sleep(min(answer.retry_after(), PAUSE_MAX_S) * self.rng.uniform(0.3, 1))

    def _take(self, claims, results):
        if len(results) != len(claims):
            self.report.problem(f"{len(claims)} runs have {len(results)} results")
            return
        self._drop([c for c, result in zip(claims, results) if self._is_over(c, result)])

    def _drop(self, claims):
        over = {id(c) for c in claims}
        self.queue = [c for c in self.queue if id(c) not in over]

    def _is_over(self, claim, result):
        status, reason = result["status"], result.get("reason")
        self.report.answers[" ".join(filter(None, (status, reason)))] += 1
        if status == "accepted":
            self._check_accepted(claim, result)
            claim.note_accepted(result)
            claim.again -= 1
            return claim.again < 0
        if claim.deserved and (status == "rejected" or reason != "unavailable"):
            self.report.problem(f"an honest run is {status}: {reason}: {claim.run}")
            return status == "rejected"
        return not claim.deserved


    def _check_accepted(self, claim, result):
        parts = [result[f"{what}_seconds"] for what in ("credited", "duplicate", "contested")]
        self.report.contested += parts[2]
        if not claim.deserved:
            self.report.problem(f"accepted without being deserved: {claim}")
        elif sum(parts) != len(claim.seconds()):
            self.report.problem(f"{len(claim.seconds())} s were claimed, {result} answered: {claim.run}")
        elif claim.session.learner.honest and parts[2] > 0:
            self.report.problem(f"an honest run is contested: {result}: {claim.run}")


class Report:
    """What the players saw."""

    def __init__(self):
        self.answers, self.problems = Counter(), []
        self.contested = 0   # seconds, by the answers

    def problem(self, text):
        if len(self.problems) < 100:
            self.problems.append(text)


def grouped(claims):
    """(session, runs) of claims next to each other."""
    groups = []
    for claim in claims:
        if not groups or groups[-1][0] is not claim.session:
            groups.append((claim.session, []))
        groups[-1][1].append(claim.run)
    return groups


def encode(form, claims):
    """Body and content type."""
    groups = grouped(claims)
    if form == "json":
        beats = [{"session_token": session.token, "runs": runs} for session, runs in groups]
        return json.dumps(beats[0] if len(beats) == 1 else {"heartbeats": beats}).encode(), "application/json"
    request = proto("player").HeartbeatRequest()
    for session, runs in groups:
        beat = request if len(groups) == 1 else request.heartbeats.add()
        beat.session_token = session.token.encode()
        for run in runs:
            beat.runs.add(**run)
    return request.SerializeToString(), "application/protobuf"


def decode(form, answer):
    if form == "json":
        return answer.json()["results"]
    pb = proto("player")
    names = ("credited_seconds", "duplicate_seconds", "contested_seconds")
    results = []
    for result in pb.HeartbeatResponse.FromString(answer.body).results:
        told = {"status": pb.Status.Name(result.status).lower(), **{n: getattr(result, n) for n in names}}
        if result.HasField("reason"):
            told["reason"] = pb.Reason.Name(result.reason).lower()
        results.append(told)
    return results
