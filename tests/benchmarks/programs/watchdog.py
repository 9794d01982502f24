"""`quantcloud serve` with a watchdog on its event loop.

It runs as `python -m benchmarks.programs.watchdog FILE serve`.

A task on the event loop reads the clock every millisecond, and writes to FILE how long it was
delayed, and when. A delay is at most the processor time that the process used meanwhile, so that
other programs on the cores do not count.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO

from quantcloud import __main__, foreground

_PAUSE_SECONDS = 0.001
# Shorter delays are not written.
_LEAST_SECONDS = 0.002


async def _watch(file: TextIO) -> None:
    while True:
        began, used = time.monotonic(), time.process_time()
        await asyncio.sleep(_PAUSE_SECONDS)
        now = time.monotonic()
        gap = min(now - began - _PAUSE_SECONDS, time.process_time() - used)
        if gap > _LEAST_SECONDS:
            file.write(f"{now} {gap}\n")


def main() -> int:
    """Run the `quantcloud` command with the watchdog."""
    serve = foreground._serve
    with Path(sys.argv.pop(1)).open("a", buffering=1) as file:

        async def watched(settings):
            watching = asyncio.ensure_future(_watch(file))
            await serve(settings)
            watching.cancel()

        foreground._serve = watched
        return __main__.main()


if __name__ == "__main__":
    sys.exit(main())
