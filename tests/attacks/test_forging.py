"""Attacks on tokens: forged ones, other learners', other lessons'."""

import json

from harness import jwt
from harness.catalog import MINUTE_MS

from arena import CHEAT
from contest import attack

VICTIM = "victim"
STEP_MS = 5 * MINUTE_MS
RSA = jwt.rsa_key()
WRONG_KEYS = {"another key": b"a secret that the platform does not have", "no key": b"", "a short key": b"secret"}


def forged_platform_tokens(good, learner):
    """What a cheat makes of another's GOOD token without the platform: name -> token of LEARNER."""
    head, payload, mac = good.split(".")
    claims = {**json.loads(jwt.unb64(payload)), "sub": learner}
    none = {f"alg {alg}": f"{jwt.b64_json({'alg': alg, 'typ': 'JWT'})}.{jwt.b64_json(claims)}." for alg in
            ("none", "None", "nOnE", "")}
    return {
        **{name: jwt.encode(claims, key) for name, key in WRONG_KEYS.items()},
        **none,
        "payload changed": f"{head}.{jwt.b64_json(claims)}.{mac}",
        "payload changed, alg none": f"{jwt.b64_json({'alg': 'none'})}.{jwt.b64_json(claims)}.{mac}",
        "no signature": f"{head}.{jwt.b64_json(claims)}.",
        "two parts": f"{head}.{jwt.b64_json(claims)}",
        "half a signature": f"{head}.{jwt.b64_json(claims)}.{mac[:20]}",
        "own RSA key, said to be the platform's": jwt.encode(
            claims, RSA, "RS256", header={"jwk": jwt.rsa_jwk(RSA, "own"), "kid": "own"}),
        "a public key as a secret": jwt.encode(claims, jwt.public_pem(RSA)),
        "truncated": good[:-1],
        "session token": "m1.AAAAAA.AQ." + mac,
        "empty": "",
    }


@attack("forged platform tokens, seventeen kinds", "401", because="only the platform's signature opens a session")
def test_forged_platform_tokens(arena):
    tokens = forged_platform_tokens(arena.player(VICTIM).token, arena.id(CHEAT))
    tabs = [tab for tab in map(arena.try_tab, tokens.values()) if tab]
    for _ in arena.hour():
        for tab in tabs:
            tab.watch()
    assert arena.answers["401"] == len(tokens)


EXPIRY_AT = 8           # in the payload of a session token: the anchor, then the expiry, 8 bytes each


def resigned(token, longer=0):
    """A token of minuted's that lives for 2^24 ms x LONGER more, signed with a key of one's own."""
    kind, key_id, payload, _ = token.split(".")
    data = bytearray(jwt.unb64(payload))
    data[EXPIRY_AT + 3] = (data[EXPIRY_AT + 3] + longer) % 256
    text = f"{kind}.{key_id}.{jwt.b64(bytes(data))}"
    return f"{text}.{jwt.b64(jwt.sign_hs256(b'a key that the daemon does not have', text.encode()))}"


def forged_session_tokens(token, other):
    """TOKEN with one thing wrong; OTHER is another session's."""
    cut, half = len(token) // 2, other[len(other) // 2:]
    forged = {token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:] for at in range(0, len(token) - 1, 5)}
    forged |= {token[:at] for at in (0, 1, cut, len(token) - 1)} | {token + "A", token + ".", token[:cut] + half}
    if token.startswith("m1."):
        mac = other.rpartition(".")[2]
        forged |= {resigned(token), resigned(token, longer=3), f"{token.rpartition('.')[0]}.{mac}"}
    return sorted(forged - {token, other})


@attack("forged session tokens, dozens of kinds", "401", "token_invalid", "token_unknown",
        because="signed by the daemon, every bit of them; what names another key is asked for again, and never counted")
def test_forged_session_tokens(arena):
    """A bit changed, cut short, spliced with another's, signed anew with a longer life; alone and in batches."""
    tab = arena.tab()
    forged = forged_session_tokens(tab.session.token, arena.tab("open-2").session.token)
    for passed_ms in arena.hour(STEP_MS):
        played = tab.next_run()
        heartbeats = [{"session_token": token, "runs": [played]} for token in forged]
        arena.post_batch(heartbeats)
        if passed_ms == STEP_MS:
            for heartbeat in heartbeats:
                arena.post(heartbeat)


@attack("another learner's platform token", "contested_seconds",
        because="it is credited to that learner, whose seconds are theirs already; nothing to the thief")
def test_stolen_platform_token(arena):
    """The victim watches, too; scored is what the victim gets."""
    arena.scored = VICTIM
    victim = arena.tab(learner=VICTIM)
    thief = arena.try_tab(arena.player(VICTIM).token, "open-2")
    for _ in arena.hour():
        victim.watch()
        thief.watch()
    assert arena.credited(CHEAT) == 0


@attack("heartbeats sent with another learner's session token",
        because="a token's seconds are its owner's, whoever sends it")
def test_swapped_learners(arena):
    own, other = arena.tab(), arena.tab(learner=VICTIM)
    for _ in arena.hour():
        arena.post(other.session.heartbeat(own.next_run()))
    assert 3590 <= arena.credited(VICTIM) <= 3600


@attack("one lesson watched, claimed with two lessons' tokens", "contested_seconds",
        because="a second goes to one lesson")
def test_swapped_lessons(arena):
    tabs = [arena.tab("open-1"), arena.tab("open-2")]
    for _ in arena.hour():
        arena.post_batch([tabs[0].session.heartbeat(played := tabs[0].next_run()), tabs[1].session.heartbeat(played)])
