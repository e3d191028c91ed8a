"""The naive counter behind minuted's routes and the harness's handles of a daemon, so that players cannot tell."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from harness.daemon import SECRET
from harness.http_client import HttpClient

from naive_counter import NaiveCounter

HEARTBEAT_MS, SESSION_MS = 15_000, 4 * 3_600_000


class NaiveDaemon:
    """On a free port, until close(). NOW_MS is where its clock stands; None: the machine's."""

    base = ""

    def __init__(self, now_ms):
        self.time_ms, self.counter = now_ms, NaiveCounter(SECRET)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon = self
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.client = HttpClient(self.port)
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def now_ms(self):
        return self.time_ms or int(time.time() * 1000)

    def set_clock(self, now_ms):
        self.time_ms = now_ms

    def close(self):
        self.client.close()
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", 65536

    def sessions(self, token, _):
        session, now_ms = self.server.daemon.counter.open(token), self.server.daemon.now_ms()
        return 201, {"session_id": session, "session_token": session, "server_time_ms": now_ms,
                     "expires_at_ms": now_ms + SESSION_MS, "heartbeat_interval_ms": HEARTBEAT_MS}

    def heartbeats(self, _, body):
        counted = [self.server.daemon.counter.count(heartbeat["session_token"], run)
                   for heartbeat in body.get("heartbeats", [body]) for run in heartbeat["runs"]]
        return 200, {"results": [{"status": "accepted" if good else "rejected"} for good in counted],
                     "server_time_ms": self.server.daemon.now_ms(), "heartbeat_interval_ms": HEARTBEAT_MS}

    def progress(self, token, _):
        seconds = self.server.daemon.counter.total_ms(token) // 1000
        return 200, {"total": {"watched_seconds": seconds}, "courses": [], "lessons": []}

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        routes = {"/v1/sessions": self.sessions, "/v1/heartbeats": self.heartbeats, "/v1/progress": self.progress}
        try:
            status, answer = routes[self.path](token, json.loads(body or "{}"))
        except PermissionError:
            status, answer = 401, {}
        except (KeyError, TypeError, ValueError, AttributeError):
            status, answer = 400, {}
        self.reply(status, json.dumps(answer).encode())

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "authorization, content-type")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self):
        self.reply(200)

    def log_message(self, *_):
        pass

    do_GET = do_POST = answer
