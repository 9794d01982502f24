"""A worker that is ready is not asked whether it has begun."""

import asyncio
import os
import signal

from unit.engine.harness import DEADLINE, Runner, running


async def test_request_that_a_worker_never_read_goes_to_another():
    # What a worker has to prepare first begins when the worker says so.
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
        # Its start is told once all the same.
        assert starts == [pid]
