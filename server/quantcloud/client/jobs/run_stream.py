"""Many small circuits on one stream, which is resumed if it breaks."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, Unpack

import grpc

from quantcloud.client.errors import NotPossible, QuantCloudError, ServerFault
from quantcloud.client.jobs.submitted import new_key
from quantcloud.client.messages.requests import Circuit, RunFields, run_request
from quantcloud.client.messages.results import Result
from quantcloud.client.messages.views import TERMINAL, status_name, unsuccessful
from quantcloud.client.network.calls import Caller, Retry
from quantcloud.client.network.statuses import from_status
from quantcloud.client.network.transport import Duplex
from thequantcloud.v1 import circuit_pb2

# The server processes 256 requests of a stream at a time, and reads no more until one ends.
_WINDOW = 128


@dataclass(frozen=True)
class Answer:
    """The answer to the request with this number: a result, or the error."""

    number: int
    result: Result | None
    error: QuantCloudError | None

    def value(self) -> Result:
        """Return the result. Raises the error."""
        if self.error is not None or self.result is None:
            raise self.error or NotPossible("the job has no result")
        return self.result


class AsyncRunStream:
    """A stream of circuits. Requests without an answer are sent again if the stream breaks.

    Each request has an idempotency key, so no circuit runs twice.
    """

    def __init__(self, caller: Caller, fields: Mapping[str, Any]) -> None:
        self._caller = caller
        self._fields = fields
        self._retry = Retry(caller)
        self._duplex: Duplex | None = None
        self._sent = 0
        # Requests without an answer by number, and their numbers on the open stream.
        self._waiting: dict[int, circuit_pb2.RunStreamRequest] = {}
        self._numbers: list[int] = []
        self._ready: dict[int, Answer] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the stream. Jobs that are submitted go on."""
        if self._duplex is not None:
            await self._duplex.close()
            self._duplex = None

    async def send(self, circuit: Circuit, **fields: Unpack[RunFields]) -> int:
        """Send a circuit and return its number, from 1.

        Receive answers, too: the server stops reading with 256 requests unanswered.
        """
        request = run_request(circuit, {**self._fields, **fields})
        self._sent += 1
        self._waiting[self._sent] = circuit_pb2.RunStreamRequest(
            circuit=request, idempotency_key=new_key()
        )
        if self._duplex is not None:
            await self._write(self._duplex, self._sent)
        return self._sent

    async def receive(self) -> Answer:
        """Return the answer that comes next. Raises `QuantCloudError` if the stream fails."""
        if not self._ready and not self._waiting:
            raise NotPossible("every request has its answer", hint="send a circuit first")
        while not self._ready:
            await self._read()
        return self._ready.pop(next(iter(self._ready)))

    async def run(self, circuit: Circuit, **fields: Unpack[RunFields]) -> Result:
        """Run a circuit and return its result. Raises `JobEnded` if it has none."""
        number = await self.send(circuit, **fields)
        return (await self._answer(number)).value()

    async def map(
        self, circuits: Iterable[Circuit], **fields: Unpack[RunFields]
    ) -> AsyncGenerator[Result]:
        """Run circuits, many at a time, and yield their results in order."""
        sent: list[int] = []
        for circuit in circuits:
            sent.append(await self.send(circuit, **fields))
            if len(sent) >= _WINDOW:
                yield (await self._answer(sent.pop(0))).value()
        for number in sent:
            yield (await self._answer(number)).value()

    async def _answer(self, number: int) -> Answer:
        while number not in self._ready:
            await self._read()
        return self._ready.pop(number)

    async def _write(self, duplex: Duplex, number: int) -> None:
        self._numbers.append(number)
        await duplex.write(self._waiting[number])

    async def _read(self) -> None:
        """Read one message, on a new stream if there is none."""
        try:
            if self._duplex is None:
                self._duplex = await self._caller.duplex(self._caller.circuits.RunStream)
                self._numbers.clear()
                for number in self._waiting:
                    await self._write(self._duplex, number)
            message: circuit_pb2.RunStreamResponse | None = await self._duplex.read()
        except grpc.RpcError as error:
            await self.close()
            await self._retry.pause(error)
            return
        if message is None:
            raise ServerFault("the stream ended before its last answer")
        self._caller.reached = True
        self._retry.reset()
        for answer in message.answers:
            await self._take(self._numbers[answer.request - 1], answer)

    async def _take(self, number: int, answer: circuit_pb2.RunStreamAnswer) -> None:
        if answer.HasField("error"):
            error = from_status(answer.error)
            if error.retry_after is not None:
                await self._again(number, error)
            else:
                self._done(Answer(number, None, error))
            return
        event = answer.event
        if event.HasField("result"):
            self._done(Answer(number, Result(event.result), None))
        elif status_name(event.job) in TERMINAL:
            self._done(Answer(number, None, unsuccessful(event.job)))

    async def _again(self, number: int, error: QuantCloudError) -> None:
        """Send a request again after the pause that the server asks for."""
        await self._retry.wait(error)
        if self._duplex is not None:
            await self._write(self._duplex, number)

    def _done(self, answer: Answer) -> None:
        self._ready[answer.number] = answer
        self._waiting.pop(answer.number, None)
