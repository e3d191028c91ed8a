"""A Redis that lies: a proxy before a real one that understands both sides, and spoils replies as it is told.

The first reply to each of some kinds of command is spoiled, whichever connection it is for; the connections that are left
behind are the client's to give up.
"""

import asyncio

from .proxy import Relay

CHUNK = 1 << 20


class Spoiler(Relay):
    def __init__(self, target):
        super().__init__(target)
        self.spoil, self.kinds = None, set()

    def begin(self, spoil, kinds):
        """Spoils the next reply to each of KINDS. SPOIL takes it and gives what is sent in its place, piece by piece."""
        self.spoil, self.kinds = spoil, set(kinds)

    def end(self):
        self.kinds = set()

    async def converse(self, reader, writer, target_reader, target):
        asked = asyncio.Queue()
        await asyncio.gather(self._forward(reader, target, asked), self._answer(target_reader, writer, asked))

    @staticmethod
    async def _forward(reader, target, asked):
        try:
            while True:
                words, raw = await read_command(reader)
                asked.put_nowait(kind_of(words))
                target.write(raw)
                await target.drain()
        except (OSError, EOFError, ValueError):
            target.close()

    async def _answer(self, target, writer, asked):
        while True:
            reply = await read_reply(target)
            kind = await asked.get()
            if kind not in self.kinds:
                writer.write(reply)
            else:
                self.kinds.remove(kind)
                for piece in self.spoil(reply):
                    writer.write(piece)
                    await writer.drain()
            await writer.drain()


def kind_of(words):
    """A function of ours is a kind of its own, and so is the question whether a command is allowed."""
    name = words[0].decode().upper()
    if b"minuted:permissions" in words:
        return "permission"
    second = words[1].decode() if len(words) > 1 else ""
    if name == "FCALL":
        return f"FCALL {second.split('_', 2)[-1]}"  # without the library's name, minuted_<hash>_
    return f"{name} {second}" if name in ("FUNCTION", "CLUSTER", "SENTINEL") else name


async def read_command(reader):
    raw = await reader.readline()
    if raw[:1] != b"*":
        raise EOFError
    words, parts = [], [raw]
    for _ in range(int(raw[1:])):
        header = await reader.readline()
        word = await reader.readexactly(int(header[1:]) + 2)
        words.append(word[:-2])
        parts += [header, word]
    return words, b"".join(parts)


async def read_reply(reader):
    """The bytes of one reply."""
    line = await reader.readline()
    if not line:
        raise EOFError
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return line + await reader.readexactly(int(line[1:]) + 2)
    if line[:1] == b"*" and int(line[1:]) > 0:
        return line + b"".join([await read_reply(reader) for _ in range(int(line[1:]))])
    return line


# --- lies ---------------------------------------------------------------------------------------

def instead(*pieces):
    return lambda reply: iter(pieces)


def endless(head, piece, bytes_max=256 << 20):
    """HEAD, and then PIECE again and again for as long as somebody reads."""
    def spoil(_):
        yield head
        block = piece * (CHUNK // len(piece))
        for _ in range(bytes_max // CHUNK):
            yield block
    return spoil


LIES = {
    "one reply too many, before": lambda reply: iter([b"+OK\r\n", reply]),
    "one reply too many, behind": lambda reply: iter([reply, b"+OK\r\n"]),
    "the same reply twice": lambda reply: iter([reply, reply]),
    "no reply": instead(),
    "half a reply": lambda reply: iter([reply[:len(reply) // 2]]),
    "an integer": instead(b":42\r\n"),
    "a negative integer": instead(b":-1\r\n"),
    "an integer that is none": instead(b":99999999999999999999999\r\n"),
    "a status": instead(b"+FINE\r\n"),
    "a string": instead(b"$3\r\nabc\r\n"),
    "an empty string": instead(b"$0\r\n\r\n"),
    "nothing": instead(b"$-1\r\n"),
    "no array": instead(b"*-1\r\n"),
    "an error without a text": instead(b"-\r\n"),
    "an empty array": instead(b"*0\r\n"),
    "an array of one": instead(b"*1\r\n$1\r\n1\r\n"),
    "integers in an array": instead(b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n"),
    "nothings in an array": instead(b"*2\r\n$-1\r\n*-1\r\n"),
    "errors in an array": instead(b"*2\r\n-ERR a\r\n-ERR b\r\n"),
    "arrays in an array": instead(b"*2\r\n*3\r\n:0\r\n:5\r\n*2\r\n*0\r\n:7\r\n*1\r\n*0\r\n"),
    "nine arrays deep": instead(b"*1\r\n" * 9 + b":1\r\n"),
    "a thousand arrays deep": instead(b"*1\r\n" * 1000 + b":1\r\n"),
    "many arrays in arrays": instead(b"*500\r\n" * 7),
    "an array of two thousand million": endless(b"*2147483647\r\n", b":1\r\n"),
    "an array of a million million": instead(b"*1000000000000\r\n"),
    "an array of minus two": instead(b"*-2\r\n"),
    "a string of two thousand million bytes": endless(b"$2147483647\r\n", b"x"),
    "a string without an end": instead(b"$10\r\nabc"),
    "a line without an end": endless(b"+", b"x"),
    "a number without an end": endless(b":", b"1"),
    "an error without an end": endless(b"-ERR ", b"x"),
    "a length without an end": endless(b"$", b"1"),
    "a map": instead(b"%1\r\n+a\r\n:1\r\n"),
    "a set": instead(b"~2\r\n+a\r\n:1\r\n"),
    "a push": instead(b">2\r\n+invalidate\r\n*0\r\n"),
    "a null": instead(b"_\r\n"),
    "a truth": instead(b"#t\r\n"),
    "a fraction": instead(b",1.5\r\n"),
    "a verbatim string": instead(b"=7\r\ntxt:abc\r\n"),
    "a large number": instead(b"(3492890328409238509324850943850943825024385\r\n"),
    "no RESP at all": instead(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "bytes": instead(bytes(range(256))),
}
