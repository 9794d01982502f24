"""What every RPC that watches answers: sightings as messages."""

import asyncio
from collections.abc import AsyncGenerator

from quantcloud.services.jobs import JobUseCases
from quantcloud.transport.convert import events
from quantcloud.transport.convert.events import LARGE_BYTES, NO_RESULT, EventMessages
from quantcloud.watching.sighting import Sighting


class Watches:
    """One for all servicers, so that what one watcher was sent is at hand for the next."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of)

    async def messages(
        self, sightings: AsyncGenerator[Sighting], *, with_result: bool
    ) -> AsyncGenerator[bytes]:
        """Each sighting as the bytes of its `JobEvent`; closes `sightings` at its end."""
        make, job = self._make, None
        try:
            async for seen in sightings:
                event, result = seen.event, NO_RESULT
                if event is not None:
                    job = make.parts(event).job
                if seen.checkpoint or event is None:
                    # One of all jobs, which has the sequence 0, repeats none.
                    about = job if seen.sequence else None
                    yield events.checkpoint(seen, self._jobs.now(), about)
                else:
                    if with_result:
                        result = await make.result(event)
                    parts, position = make.parts(event), seen.queue_position
                    if len(result) > LARGE_BYTES:
                        yield await asyncio.to_thread(events.change, parts, position, result)
                    else:
                        yield events.change(parts, position, result)
                # The next one may be hours away.
                del seen, event, result
        finally:
            await sightings.aclose()
