"""A ready worker does not report the start of each run."""

import asyncio
import os
import signal

from unit.engine.harness import DEADLINE, Runner, running


async def test_a_request_that_a_worker_never_read_goes_to_another():
    # A worker that must prepare a backend does report the start.
    async with running(preload_modules={"probe": ["colorsys"]}) as engine:
        run = Runner(engine)
        pid = await run.pid()
        begun = asyncio.Event()
        starts = []

        def on_start():
            starts.append(pid)
            begun.set()

        os.kill(pid, signal.SIGSTOP)
        task = asyncio.ensure_future(
            engine.execute(run.execution("succeed"), time_limit=DEADLINE, on_start=on_start)
        )
        await begun.wait()
        os.kill(pid, signal.SIGKILL)
        assert (await task).metadata["pid"] != pid
        # Its start is reported only once.
        assert starts == [pid]
