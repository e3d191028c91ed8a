"""A kept-alive HTTP/1.1 client for asyncio that tells an answer from a lost one, and never retries by itself."""

import asyncio
import json


class Lost(Exception):
    """No whole answer came: the request may have been carried out or not."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def retry_after(self):
        return float(self.headers.get("retry-after", "1"))

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Web:
    """One connection to whichever of PORTS answers; another one is tried after a loss."""

    def __init__(self, ports, rng, timeout=4.0):
        self.ports, self.rng, self.timeout = ports, rng, timeout
        self.reader = self.writer = None
        self.turn = asyncio.Lock()   # learners behind a gateway share its connection

    async def request(self, method, path, body=b"", content_type="application/json", headers=()):
        async with self.turn:
            try:
                return await asyncio.wait_for(self._exchange(method, path, body, content_type, headers), self.timeout)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as e:
                self.close()
                raise Lost(repr(e)) from None

    async def _exchange(self, method, path, body, content_type, headers):
        if self.writer is None or self.writer.is_closing():
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.rng.choice(self.ports))
        head = [f"{method} {path} HTTP/1.1", "Host: storm", f"Content-Type: {content_type}",
                f"Content-Length: {len(body)}", *headers]
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        answer = await self._read()
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    async def _read(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, value in fields}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)

    def close(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None
