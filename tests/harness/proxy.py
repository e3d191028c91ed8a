"""A TCP proxy that a test can cut: connections reset, gone silent, losing only what comes back, or slow.

Proxies share a network thread; each listens on a port of its own and connects to TARGET for every connection.
"""

import asyncio
import socket
import struct
import threading

from .service import PATIENCE_S

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER


class ProxyThread:
    """The loop that all proxies of a test run in."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="proxies")
        self.thread.start()
        self.proxies = []

    def proxy(self, target, latency=0.0):
        """Each way always takes LATENCY seconds."""
        return self.open(Proxy, target, latency)

    def open(self, kind, *arguments):
        """A KIND of Relay."""
        self.proxies.append(self.call(kind.open(*arguments)))
        return self.proxies[-1]

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def stop(self):
        for proxy in self.proxies:
            proxy.reset()
            self.call(proxy.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)


class Relay:
    """Listens on a port of its own, and connects to TARGET for every connection; what passes between the two, converse()
    says. Methods may be called from any thread."""

    def __init__(self, target):
        self.loop = asyncio.get_running_loop()
        self.target, self.port, self.server = target, None, None
        self.writers, self.tasks = set(), set()

    @classmethod
    async def open(cls, *arguments):
        relay = cls(*arguments)
        relay.server = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        relay.port = relay.server.sockets[0].getsockname()[1]
        return relay

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def converse(self, reader, writer, target_reader, target):
        """Until either side ends."""
        raise NotImplementedError

    def reset(self):
        """Every connection ends at once with a reset, on both sides."""
        self.loop.call_soon_threadsafe(lambda: [reset(writer) for writer in self.writers])

    async def close(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        target = None
        try:
            self.writers.add(writer)
            target_reader, target = await asyncio.open_connection("127.0.0.1", self.target)
            self.writers.add(target)
            await self.converse(reader, writer, target_reader, target)
        except (OSError, EOFError, ValueError, asyncio.CancelledError):
            pass
        finally:
            for end in filter(None, (writer, target)):
                reset(end)
                self.writers.discard(end)
            self.tasks.discard(asyncio.current_task())


class Proxy(Relay):
    """Lets everything through, until it is told otherwise."""

    def __init__(self, target, latency=0.0):
        super().__init__(target)
        self.forwards, self.answers = True, True  # what reaches the target, what comes back
        self.latency, self.slowness = latency, 0.0

    def silence(self):
        """Half-open: connections stay, and nothing passes either way until heal(), which resets them."""
        self.forwards = self.answers = False

    def lose_answers(self):
        """What is sent arrives, and nothing comes back until heal()."""
        self.answers = False

    def slow(self, seconds):
        """Everything arrives, SECONDS later than else; 0 ends it."""
        self.slowness = seconds

    def heal(self):
        """Lets everything through again, on new connections: what was swallowed is gone."""
        self.forwards = self.answers = True
        self.slowness = 0.0
        self.reset()

    async def converse(self, reader, writer, target_reader, target):
        await asyncio.gather(self._forward(reader, target), self._pass(target_reader, writer, lambda: self.answers))

    async def _forward(self, reader, writer):
        """From the client to the target."""
        await self._pass(reader, writer, lambda: self.forwards)

    async def _pass(self, reader, writer, passes):
        """Until either side ends; an end is passed on, so that the other way can finish."""
        while data := await reader.read(65536):
            await asyncio.sleep(self.latency + self.slowness)
            if passes():
                writer.write(data)
                await writer.drain()
        if passes() and writer.can_write_eof():
            writer.write_eof()


def reset(writer):
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
