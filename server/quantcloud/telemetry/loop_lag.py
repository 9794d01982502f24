"""Measures how late the event loop runs what is due."""

import asyncio

from quantcloud.telemetry import metrics

_EVERY_SECONDS = 0.25


async def measure_forever() -> None:
    """Observe the lag of a timer several times a second."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        metrics.LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))
