"""A worker that a test controls step by step."""

import asyncio
import socket
import subprocess
import sys

from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.call import Call
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.pool.start_tokens import StartTokens
from quantcloud.engine.pool.worker_process import WorkerProcess
from unit.engine.harness import DEADLINE

SHORT = 1e-4
SIZE = messages.HEADER.size


class Puppet:
    """A worker's process, socket and start tokens, and the owner of the server's side of it."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        ours, self.socket = socket.socketpair()
        self.reading, writing = socket.socketpair()
        self.worker = WorkerProcess(
            self.process.pid, 0, ours, StartTokens(self.reading.dup(), writing), lambda _: None
        )
        self.worker.owner = self
        self.socket.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        self.back = []

    def changed(self, worker):
        pass

    def returned(self, calls):
        self.back += calls

    async def read(self):
        """Read the next request without starting it."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE):
            header = await loop.sock_recv(self.socket, SIZE)
            _, length = messages.HEADER.unpack(header)
            return await loop.sock_recv(self.socket, length)

    async def begin(self):
        name = await self.read()
        assert start_tokens.take(self.reading)
        return name

    def say(self, kind, payload=b""):
        self.socket.send(messages.frame(kind, payload))

    def die(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()

    def end(self):
        self.worker.abandon()
        self.die()
        self.reading.close()


def call(name, **arguments):
    request = Frame(messages.EXECUTE, name)
    return Call(request, **{"time_limit": DEADLINE, "expected": SHORT, **arguments})


async def ready(puppet):
    while not puppet.worker.ready:  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(0)


async def given(puppet, *names, **arguments):
    """Send it calls, and return them."""
    await ready(puppet)
    calls = [call(name, **arguments) for name in names]
    for each in calls:
        puppet.worker.take(each)
    await asyncio.sleep(0)
    return calls


async def ended(puppet):
    async with asyncio.timeout(DEADLINE):
        while not puppet.worker._hung_up:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
