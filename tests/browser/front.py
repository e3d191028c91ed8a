"""The platform's web server: the lesson's page, its films and players, the learner's tokens; and what is minuted's it
passes on, as an nginx in front would. A test can make it slow, refuse what it would pass on, and read what went through.
"""

import http.client
import itertools
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.player import platform_token

TYPES = {"html": "text/html; charset=utf-8", "xhtml": "application/xhtml+xml", "js": "text/javascript", "mp4": "video/mp4", "m4s": "video/iso.segment",
         "ts": "video/mp2t", "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml"}
PORTAL = "higher"
BLOCK = 2048
SLOWNESS = {"at_once", "bytes_per_second"}    # of a film's address
NOT_PASSED = {"host", "connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Passed:
    """A request that minuted was sent, or was not because a gate stood there."""
    method: str
    path: str
    body: bytes
    status: int
    at: float              # when it came, in seconds of this process's clock


def problem(status, headers):
    """What a gate answers in minuted's place."""
    body = f'{{"title":"by the test","status":{status}}}'.encode()
    return status, {"Content-Type": "application/problem+json", **headers}, body


class Front:
    """Serves FOLDERS (name -> path) and passes the rest on to DAEMON; HOST is how browsers call it."""

    def __init__(self, folders, daemon, host="127.0.0.1"):
        self.folders, self.daemon = folders, daemon
        self.gate = lambda method, path: None    # what to answer instead of passing it on
        self.passed = []
        self.goodbyes = []                       # seconds that pages had played when they went, as their probes said
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"front": self}))
        self.server.daemon_threads = True
        self.origin = f"http://{host}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True, name="front").start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def pass_on(self, method, path, headers, body):
        """Status, headers and body of minuted's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def refuse(self, path, status, times=None, **headers):
        """Answers STATUS in minuted's place to whatever is asked of PATH, so many TIMES or until told otherwise."""
        left = iter(range(times)) if times else itertools.count()
        self.gate = lambda _, asked: problem(status, headers) if asked.endswith(path) and next(left, None) is not None else None

    def refuse_nothing(self):
        self.gate = lambda method, path: None

    def heartbeats(self):
        return [p for p in self.passed if p.path.endswith("/v1/heartbeats")]

    def sessions(self):
        return [p for p in self.passed if p.path.endswith("/v1/sessions")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front = None

    def log_message(self, *unused):
        pass

    def do_GET(self):
        self.serve()

    do_HEAD = do_POST = do_OPTIONS = do_GET

    def serve(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        folder, _, name = url.path[1:].partition("/")
        try:
            if url.path == "/token":
                # Sandboxed frames ask, too, and have no origin.
                headers = {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}
                self.answer(200, headers, self.token(query["sub"]).encode())
            elif url.path == "/goodbye":
                self.front.goodbyes.append(float(body))
                self.answer(200, {"Content-Type": "text/plain"}, b"")
            elif folder in self.front.folders:
                self.send_file(self.front.folders[folder] / name, query)
            else:
                self.pass_on(body)
        except OSError:
            self.close_connection = True    # whoever asked is gone, or minuted is

    def token(self, learner):
        return platform_token(learner, PORTAL, self.front.daemon.now_ms())

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pass_on(self, body):
        came = time.monotonic()
        refusal = self.front.gate(self.command, self.path)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED}
        status, headers, answer = refusal or self.front.pass_on(self.command, self.path, headers, body)
        self.front.passed.append(Passed(self.command, self.path, body, status, came))
        self.answer(status, {k: v for k, v in headers.items() if k.lower() not in NOT_PASSED}, answer)

    # --- files ------------------------------------------------------------------------------------

    def send_file(self, path, query):
        if not path.is_file():
            self.answer(404, {"Content-Type": "text/plain"}, b"no such file")
            return
        content = path.read_bytes()
        begin, end = self.range(len(content))
        partial = (begin, end) != (0, len(content)) or "Range" in self.headers
        self.send_response(206 if partial else 200)
        self.send_header("Content-Type", TYPES.get(path.suffix[1:], "application/octet-stream"))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if partial:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        self.end_headers()
        if self.command != "HEAD":
            self.write_content(content[begin:end], **{name: int(query[name]) for name in SLOWNESS & query.keys()})

    def range(self, size):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) or re.match("()()", "")
        begin = min(int(wanted[1] or 0), size)
        return begin, min(int(wanted[2] or size - 1) + 1, size)

    def write_content(self, content, at_once=0, bytes_per_second=0):
        """All of it; or so much AT_ONCE, and the rest as slowly as told."""
        first = at_once if bytes_per_second else len(content)
        self.wfile.write(content[:first])
        for at in range(first, len(content), BLOCK):
            time.sleep(BLOCK / bytes_per_second)  # sleeps: a network that is so slow
            self.wfile.write(content[at:at + BLOCK])
