"""The counter that minuted is measured against: it adds up the heartbeats that it receives.

It stands for what is built first, and kept by many: the learner is verified properly (a JWT's signature, then a random
session token), and each heartbeat's stretch of playing goes to the learner's total. It knows neither which seconds those
were nor whether they have passed, has no list of what it counted already, and believes the player's timer. Platforms that
add a fixed interval for each heartbeat are the same with another number. Shapes are checked, to be fair.
"""

import json
import secrets

from harness import jwt


class NaiveCounter:
    def __init__(self, secret):
        self.secret, self.sessions, self.played = secret, {}, []

    def learner(self, token):
        """Whom the platform vouches for; PermissionError for a forged token."""
        text, _, signature = token.rpartition(".")
        if not text or signature != jwt.b64(jwt.sign_hs256(self.secret, text.encode())):
            raise PermissionError("not signed by the platform")
        claims = json.loads(jwt.unb64(text.split(".")[1]))
        return claims["iss"], claims["sub"]

    def open(self, token):
        session = secrets.token_urlsafe()
        self.sessions[session] = self.learner(token)
        return session

    def count(self, session, run):
        """Adds the run's time; False when the token or the run's shape is bad."""
        good = session in self.sessions and type(run["from_ms"]) is type(run["to_ms"]) is int
        good = good and run["to_ms"] > run["from_ms"]
        if good:
            self.played.append((self.sessions[session], run["to_ms"] - run["from_ms"]))
        return good

    def total_ms(self, token):
        learner = self.learner(token)
        return sum(ms for who, ms in list(self.played) if who == learner)
