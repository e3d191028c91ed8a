"""Requests that a player could have sent, as JSON text and as the protobuf of proto/player.proto."""

import json
import struct

SECONDS = 1000


def run(dice, played_ms):
    """A stretch of playing within PLAYED_MS, or one in four times later; one in three of the others breaks a rule."""
    from_ms, rate = dice.randrange(played_ms * 4 // 3), dice.choice([1, 1.5, 0.5, 1, 1.5, 0.5, 1, 1.5, 3])
    length = dice.choice([1, 1, 1, 1, 1, 11]) * dice.randrange(1, 120 * SECONDS)
    media_from_ms = dice.randrange(3600 * SECONDS)
    advance = max(1, round(length * rate)) + dice.choice([0, 0, 0, 0, 0, 3600 * SECONDS])
    return {"from_ms": from_ms, "to_ms": from_ms + length, "media_from_ms": media_from_ms,
            "media_to_ms": media_from_ms + advance, "rate": rate}


def heartbeat(dice, known):
    return {"session_token": dice.choice(known["session_tokens"]),
            "runs": [run(dice, known["played_ms"]) for _ in range(dice.randrange(4))]}


def heartbeats(dice, known):
    if dice.random() < 0.5:
        return heartbeat(dice, known)
    return {"heartbeats": [heartbeat(dice, known) for _ in range(dice.randrange(1, 4))]}


def session(dice, known):
    return {"lesson_id": dice.choice(known["lessons"]), "device_id": f"device-{dice.randrange(100)}"}


# --- protobuf ------------------------------------------------------------------------------------------------


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode_run(value):
    times = [value["from_ms"], value["to_ms"], value["media_from_ms"], value["media_to_ms"]]
    return b"".join(field(i + 1, ms) for i, ms in enumerate(times)) + field(5, float(value["rate"]))


def encode_heartbeat(value):
    return field(1, value["session_token"].encode()) + b"".join(field(2, encode_run(r)) for r in value["runs"])


def encode_heartbeats(value):
    if "heartbeats" in value:
        return b"".join(field(3, encode_heartbeat(h)) for h in value["heartbeats"])
    return encode_heartbeat(value)


def encode_session(value):
    return field(1, value["lesson_id"].encode()) + field(2, value["device_id"].encode())


MADE = {"openSession": (session, encode_session), "sendHeartbeats": (heartbeats, encode_heartbeats)}


def request(operation, media_type, dice, known):
    make, encode = MADE[operation]
    value = make(dice, known)
    return json.dumps(value).encode() if media_type == "text/plain" else encode(value)
