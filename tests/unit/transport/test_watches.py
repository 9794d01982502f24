"""The messages of a watch: which sightings come together."""

from collections.abc import Sequence

import pytest

from quantcloud.domain.job import JobEvent, JobResult
from quantcloud.transport.convert.events import LARGE_BYTES
from quantcloud.transport.servicers.watches import Watches
from quantcloud.watching.sighting import Sighting
from thequantcloud.v1 import job_pb2
from unit.transport.test_event_messages import completions, result_of


class Jobs:
    """Results of as many outcomes as are given, by the cursor of their event."""

    def __init__(self, outcomes: Sequence[int]) -> None:
        self._outcomes = outcomes

    async def result_of(self, event: JobEvent) -> JobResult:
        return result_of(self._outcomes[event.cursor - 1])

    async def small_results_of(self, events: Sequence[JobEvent]) -> list[JobResult]:
        return []


async def messages(outcomes: Sequence[int]) -> list[job_pb2.JobEvent]:
    """Those of one group of completions with their results."""

    async def nothing():
        return
        yield

    sent: list[job_pb2.JobEvent] = []

    async def write(message: bytes) -> None:
        assert len(message) < 2 * LARGE_BYTES
        sent.append(job_pb2.JobEvent.FromString(message))

    first, *following = (
        Sighting(event.sequence, event.cursor, event) for event in completions(len(outcomes))
    )
    watch = Watches(Jobs(outcomes)).watch(nothing(), with_result=True)
    await watch.send(first._replace(following=following), write)
    return sent


# A thousand outcomes take some 75 KB.
@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        ([2] * 64, [64]),
        ([5000] * 8, [3, 3, 2]),
        ([2, 20_000, 2, 2], [1, 1, 2]),
        ([20_000, 2], [1, 1]),
        ([2, 2, 20_000], [2, 1]),
    ],
)
async def test_a_message_has_a_megabyte_or_a_single_event(outcomes: list[int], together: list[int]):
    sent = await messages(outcomes)
    assert [1 + len(message.following) for message in sent] == together
    events = [event for message in sent for event in (message, *message.following)]
    assert [event.cursor for event in events] == [str(n + 1) for n in range(len(outcomes))]
    assert [len(event.result.counts) for event in events] == outcomes
