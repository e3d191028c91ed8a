"""Raw sockets: what no well-behaved client would send, and exactly what came back."""

import socket
from pathlib import Path

from .http_client import is_readable
from .service import PATIENCE_S


class ClosedUnanswered(AssertionError):
    """The server has closed before it said anything."""


class RawConnection:
    def __init__(self, port, timeout=PATIENCE_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.buffer = b""
        self.told = False  # for tests: whether it was answered

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def is_taken(self):
        """Whether the server has it: in the kernel's queue a connection has no inode yet, once closed none any more."""
        there, here = (f"0100007F:{name[1]:04X}" for name in (self.socket.getpeername(), self.socket.getsockname()))
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
        return any(row[1:3] == [there, here] and row[9] != "0" for row in rows)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def trickle(self, data, every):
        """Sends byte by byte until all is sent or the server has answered; returns how many were sent."""
        sent = 0
        for byte in data if isinstance(data, bytes) else data.encode():
            if is_readable(self.socket, every):
                break
            try:
                self.socket.sendall(bytes([byte]))
            except OSError:
                break
            sent += 1
        return sent

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def response(self):
        """The next answer as (status, headers, body)."""
        while b"\r\n\r\n" not in self.buffer:
            more = self._more()
            if not more and not self.buffer:
                raise ClosedUnanswered
            assert more, f"closed within the headers: {self.buffer!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            assert self._more(), "closed within the body"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(lines[0].split()[1]), headers, body

    def closed(self, seconds=PATIENCE_S):
        """Whether the server closes, with nothing more said, within SECONDS."""
        self.socket.settimeout(seconds)
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return self.buffer == b""


def request(method="GET", path="/v1/progress", headers=(), body=b"", host="Host: x"):
    """A request's bytes; HEADERS are whole lines."""
    lines = [f"{method} {path} HTTP/1.1", *([host] if host else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body if isinstance(body, bytes) else body.encode())


def post(path, body, *headers, content_type="application/json"):
    body = body if isinstance(body, bytes) else body.encode()
    return request("POST", path, (f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers), body)
