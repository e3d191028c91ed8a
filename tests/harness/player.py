"""A learner's player against one or more daemons: opens sessions, sends runs, asks for progress."""

from dataclasses import dataclass

from . import jwt
from .daemon import AUDIENCE, ISSUERS, SECRET
from .service import wait_until

YEAR_S = 365 * 86400


def platform_token(learner, portal, now_ms, more_claims=None):
    """What the platform of PORTAL hands to LEARNER; expires a year after NOW_MS."""
    claims = {"iss": ISSUERS[portal], "aud": AUDIENCE, "sub": learner, "exp": now_ms // 1000 + YEAR_S}
    return jwt.encode({**claims, **(more_claims or {})}, SECRET)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def run(from_ms, to_ms, media_from_ms=None, rate=1.0, media_to_ms=None):
    """A run as sent; the media is where the learner was at FROM_MS unless told, and follows the rate."""
    media_from_ms = from_ms if media_from_ms is None else media_from_ms
    if media_to_ms is None:
        media_to_ms = media_from_ms + round((to_ms - from_ms) * rate)
    return {"from_ms": from_ms, "to_ms": to_ms, "media_from_ms": media_from_ms, "media_to_ms": media_to_ms,
            "rate": rate}


def patiently(ask):
    """Asks again while the answer is 503, as every player does: a server on a busy machine may refuse for a moment."""
    def answer():
        response = ask()
        return response if response.status != 503 else None
    return wait_until(answer, "an answer other than 503", every=0.2)


@dataclass
class Session:
    learner: str
    portal: str
    lesson: str
    token: str
    anchor_ms: int
    expires_ms: int
    id: str

    @property
    def name(self):
        return f"{self.portal}/{self.learner}"

    def heartbeat(self, *runs):
        return {"session_token": self.token, "runs": list(runs)}


class Player:
    """Speaks JSON to CLIENT under BASE. A method with "once" in its name returns a 503 as the answer; all others ask again."""

    def __init__(self, daemon, learner, portal="higher"):
        self.daemon, self.client = daemon, daemon.client
        self.learner, self.portal = learner, portal
        self.token = platform_token(learner, portal, daemon.now_ms())

    def try_open_once(self, lesson, device="phone"):
        body = {"lesson_id": lesson, "device_id": device}
        return self.client.post(f"{self.daemon.base}/v1/sessions", body, headers=bearer(self.token))

    def try_open(self, lesson, device="phone"):
        return patiently(lambda: self.try_open_once(lesson, device))

    def open(self, lesson, device="phone"):
        response = self.try_open(lesson, device)
        assert response.status == 201, response
        return self.session_of(response, lesson)

    def session_of(self, response, lesson):
        answer = response.json()
        return Session(self.learner, self.portal, lesson, answer["session_token"], answer["server_time_ms"],
                       answer["expires_at_ms"], answer["session_id"])

    def post_once(self, body):
        return self.client.post(f"{self.daemon.base}/v1/heartbeats", body)

    def post(self, body):
        return patiently(lambda: self.post_once(body))

    def send(self, session, *runs):
        """The results of a heartbeat that must be understood."""
        response = self.post(session.heartbeat(*runs))
        assert response.status == 200, response
        return response.json()["results"]

    def ask_progress(self, headers=None):
        """With the HEADERS of another token or encoding, where they are given."""
        headers = {**bearer(self.token), **(headers or {})}
        return patiently(lambda: self.client.get(f"{self.daemon.base}/v1/progress", headers=headers))

    def progress(self):
        response = self.ask_progress()
        assert response.status == 200, response
        return response.json()


def watched(progress):
    """lesson -> watched seconds of a progress answer."""
    return {lesson["lesson_id"]: lesson["watched_seconds"] for lesson in progress["lessons"]
            if lesson["watched_seconds"]}


def accepted(credited, duplicate=0, contested=0):
    return {"status": "accepted", "credited_seconds": credited, "duplicate_seconds": duplicate,
            "contested_seconds": contested}


def rejected(reason):
    return {"status": "rejected", "reason": reason}


def retry(reason):
    return {"status": "retry", "reason": reason}


def watch(minuted, model, learner="teacher-1", lesson="open-1", seconds=90, portal="higher"):
    """A learner watches from the lesson's beginning while the daemon's clock goes on; MODEL says what that must come to.
    Returns the player and the session."""
    player = Player(minuted, learner, portal)
    session = player.open(lesson)
    minuted.advance(seconds * 1000 + 1000)
    sent = run(0, seconds * 1000)
    assert player.send(session, sent) == [accepted(*model.claim(session.name, lesson, session.anchor_ms, sent))]
    return player, session
