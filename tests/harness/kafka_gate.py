"""A proxy before Kafka that can hold a client at a step of its transaction, as a slow network would."""

import asyncio
import threading

from .proxy import Proxy
from .service import PATIENCE_S

PRODUCE, ADD_PARTITIONS, END_TXN = 0, 24, 26  # api keys of Kafka's protocol


class Gate(Proxy):
    """A request that hold() waits for, and all that come after it, stand here until release()."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.awaited = None
        self.caught = threading.Event()
        self.free = asyncio.Event()
        self.free.set()

    def hold(self, api_key):
        self.caught.clear()
        self.awaited = api_key

    def wait_caught(self):
        assert self.caught.wait(PATIENCE_S), f"no request {self.awaited}"

    def release(self):
        """What is held goes on its way, in order."""
        self.awaited = None
        self.loop.call_soon_threadsafe(self.free.set)

    async def _forward(self, reader, writer):
        while True:
            size = await reader.readexactly(4)
            request = await reader.readexactly(int.from_bytes(size, "big"))
            if int.from_bytes(request[:2], "big") == self.awaited and not self.caught.is_set():
                self.free.clear()
                self.caught.set()
            await self.free.wait()
            writer.write(size + request)
            await writer.drain()
