import asyncio
import fcntl
import os
import select
import struct
import termios
from contextlib import asynccontextmanager

from quantcloud.domain.execution import Execution
from quantcloud.engine.local import LocalEngine

BELL = "OPENQASM 2.0; qreg q[2]; creg c[2]; U(pi/2,0,pi) q[0]; CX q[0],q[1]; measure q -> c;"

# The attempts of the probe's `break_out` that a worker may make.
ALLOWED = {"read visible", "import", "own limits", "thread", "memory", "give way"}

# How long a test may take if it fails, in seconds. A passing test never waits this long.
DEADLINE = 30


@asynccontextmanager
async def running(**arguments):
    engine = LocalEngine(**{"workers": 1, "preload_modules": {}, **arguments})
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


class Runner:
    """Runs the probe's methods on an engine."""

    def __init__(self, engine):
        self.engine = engine

    @staticmethod
    def execution(method, *, qasm=BELL, backend="probe", shots=8, predicted=None, reserved=0):
        return Execution(
            "job-1", backend, method, qasm, shots, seed=1, predicted_seconds=predicted,
            memory_bytes=reserved,
        )  # fmt: skip

    async def __call__(self, method, *, limit=DEADLINE, **fields):
        execution = self.execution(method, **fields)
        async with asyncio.timeout(DEADLINE):
            return await self.engine.execute(execution, time_limit=limit, on_start=lambda: None)

    async def begin(self, method, *, predicted=None, **arguments):
        """Return the task of a run that has started, in the worker's view too."""
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            self.engine.execute(
                self.execution(method, predicted=predicted),
                **{"time_limit": DEADLINE, "on_start": begun.set, **arguments},
            )
        )
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait((task, waiting), timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert begun.is_set(), task
        workers = self.engine._supervisor._workers.values()
        while any(map(has_unstarted_calls, workers)):  # noqa: ASYNC110 (no event tells that a socket was read)
            await asyncio.sleep(0)
        return task

    async def pid(self):
        return (await self("succeed")).metadata["pid"]


def has_unstarted_calls(worker):
    """Return whether a worker has not started everything that was sent to it."""
    if worker._hung_up:
        return False
    empty = struct.pack("i", 0)
    (size,) = struct.unpack(
        "i", fcntl.ioctl(worker._connection._start_tokens._reading, termios.FIONREAD, empty)
    )
    return size > 0


class Ends:
    """Watches for the end of processes that run now."""

    def __init__(self, pids):
        self._descriptors = [os.pidfd_open(pid) for pid in pids]

    def wait(self):
        """Wait until all have ended and return whether they did. Zombies count as ended."""
        poll = select.poll()
        left = set(self._descriptors)
        for descriptor in left:
            poll.register(descriptor, select.POLLIN)
        while left:
            ready = poll.poll(DEADLINE * 1000)
            if not ready:
                break
            for descriptor, _ in ready:
                poll.unregister(descriptor)
                left.discard(descriptor)
        for descriptor in self._descriptors:
            os.close(descriptor)
        return not left
