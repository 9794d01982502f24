"""A process with one engine, for tests that kill it.

When a run that never ends has started, it prints the process ids of the fork server and its
workers. Arguments: the number of workers, then folders for sys.path.
"""

import asyncio
import signal
import sys

sys.path[:0] = sys.argv[2:]

from quantcloud.domain.execution import Execution  # noqa: E402 (after the path)
from quantcloud.engine.local import LocalEngine  # noqa: E402

BELL = "OPENQASM 2.0; qreg q[2]; creg c[2]; measure q -> c;"


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main():
    engine = LocalEngine(workers=int(sys.argv[1]), preload_modules={})

    def report():
        supervisor = engine._supervisor
        say(supervisor._process.pid, *supervisor._workers)

    await engine.start()
    try:
        for slots in engine._pools.values():
            for slot in slots._slots:
                if slot.is_coming:
                    await slot._coming
        execution = Execution("job", "probe", "loop_in_c", BELL, 1, 1)
        await engine.execute(execution, time_limit=600, on_start=report)
    finally:
        await engine.stop()
        say("stopped")


if __name__ == "__main__":
    # A background job of a shell inherits an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
