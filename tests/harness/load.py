"""Full load: hundreds of kept-alive connections that send one second of watching after another, as fast as they can.

Every request is accounted for: answered, or sent and cut off before the first byte of its answer, so that its player
must send it again. Anything else is a torn answer.
"""

import asyncio
import json
import socket
import threading
from collections import Counter, deque

from .agreement import check_redis
from .model import Model
from .player import run
from .raw import post
from .service import PATIENCE_S, wait_until


class Client:
    """One connection of one learner; keeps DEPTH requests under way (pipelined when more than one)."""

    def __init__(self, session, depth=1):
        self.session, self.depth = session, depth
        self.next_ms = 0
        self.under_way = deque()    # runs sent and not answered, oldest first
        self.accepted = []
        self.unfinished = []        # retry or 503: the daemon has not taken it
        self.statuses, self.torn, self.said_close = Counter(), None, False
        self.socket, self.buffer, self.cut = None, b"", False

    @property
    def unanswered(self):
        """What the player has to send again."""
        return [*self.unfinished, *self.under_way]

    async def play(self, port, stop):
        with socket.socket() as self.socket:
            self.socket.setblocking(False)
            await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", port))
            try:
                while not self.said_close and not (stop.is_set() and not self.under_way):
                    await self._send(stop)
                    await self._receive()
            except ConnectionError:
                self.torn = self.buffer or None

    async def _send(self, stop):
        """A daemon that has closed takes nothing more, but what it answered before can still be read: asyncio's streams would
        throw that away."""
        while len(self.under_way) < self.depth and not stop.is_set() and not self.cut:
            sent = run(self.next_ms, self.next_ms + 1000)
            self.next_ms += 1000
            self.under_way.append(sent)
            try:
                await asyncio.get_running_loop().sock_sendall(
                    self.socket, post("/v1/heartbeats", json.dumps(self.session.heartbeat(sent))))
            except ConnectionError:
                self.cut = True

    async def _receive(self):
        while b"\r\n\r\n" not in self.buffer:
            await self._more()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        head = head.decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        while len(rest) < length:
            await self._more()
            rest = self.buffer.partition(b"\r\n\r\n")[2]
        self.buffer = rest[length:]
        self._take(int(head.split()[1]), rest[:length])
        self.said_close = "connection: close" in head

    async def _more(self):
        data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        if not data:
            raise ConnectionResetError
        self.buffer += data

    def _take(self, status, body):
        sent = self.under_way.popleft()
        self.statuses[status] += 1
        result = json.loads(body)["results"][0] if status == 200 else {"status": "retry"}
        assert result["status"] in ("accepted", "retry"), result
        (self.accepted if result["status"] == "accepted" else self.unfinished).append(sent)


class Load:
    """Plays CLIENTS against PORT in a thread of its own until stop() or until the daemon goes away."""

    def __init__(self, port, clients):
        self.port, self.clients = port, clients
        self.loop, self.stopping, self.problems = asyncio.new_event_loop(), asyncio.Event(), []
        self.thread = threading.Thread(target=self._run, daemon=True, name="load")

    def _run(self):
        self.problems = [e for e in self.loop.run_until_complete(self._play()) if e is not None]
        self.loop.close()

    async def _play(self):
        return await asyncio.gather(*(c.play(self.port, self.stopping) for c in self.clients), return_exceptions=True)

    def start(self, each=10):
        """Returns when every client has been answered EACH times."""
        self.thread.start()
        wait_until(lambda: all(c.statuses.total() >= each for c in self.clients), "the load runs")
        return self

    def wait(self, seconds=PATIENCE_S):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the load does not end"
        assert not self.problems, self.problems
        return self

    def stop(self, seconds=PATIENCE_S):
        """Lets what is under way be answered."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        return self.wait(seconds)

    def statuses(self):
        return sum((c.statuses for c in self.clients), Counter())

    def torn(self):
        return [c.torn for c in self.clients if c.torn]

    def model(self):
        """What was accepted."""
        return self._model(lambda client: client.accepted)

    def refused(self):
        """What was answered `retry` or 503: Redis may hold it all the same, where it took it and answered too late."""
        return self._model(lambda client: client.unfinished)

    def check_held(self, truth):
        """Redis holds what was accepted, and of the rest at most what was refused: nothing that was not answered."""
        if not any(client.unfinished for client in self.clients):
            check_redis(self.model(), truth)
        accepted, refused = self.model().minutes(), self.refused().minutes()
        for key, seconds in accepted.items():
            assert seconds <= truth.minutes.get(key, set()), f"accepted and lost: {key}"
        for key, seconds in truth.minutes.items():
            assert seconds - accepted.get(key, set()) <= refused.get(key, set()), f"held and not answered: {key}"

    def _model(self, runs_of):
        model = Model()
        for client in self.clients:
            for sent in runs_of(client):
                model.claim(client.session.name, client.session.lesson, client.session.anchor_ms, sent)
        return model
