"""A client of RunStream that sends on request."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from typing import Any

import grpc

from support.api import Api
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc


class RunStream:
    """One call with `api`'s credentials, over `channel` or else over `api`'s channel."""

    def __init__(self, api: Api, channel: grpc.Channel | None = None) -> None:
        stub = api.circuits if channel is None else circuit_pb2_grpc.CircuitServiceStub(channel)
        self._requests: SimpleQueue[circuit_pb2.RunStreamRequest | None] = SimpleQueue()
        self._sent = 0
        self.call: Any = stub.RunStream(
            iter(self._requests.get, None), metadata=api.metadata, timeout=api.timeout
        )

    def send(self, qasm: str, key: str = "", **fields: Any) -> int:
        """Send a circuit; return the number of its request."""
        circuit = circuit_pb2.RunCircuitRequest(qasm=qasm, **fields)
        self._requests.put(circuit_pb2.RunStreamRequest(circuit=circuit, idempotency_key=key))
        self._sent += 1
        return self._sent

    def end(self) -> None:
        """Send no more."""
        self._requests.put(None)

    def disconnect(self) -> None:
        """Cancel the call as a client that disconnects."""
        self.call.cancel()
        self.end()

    def __iter__(self) -> Iterator[circuit_pb2.RunStreamAnswer]:
        for response in self.call:
            yield from response.answers

    def changes(self) -> Iterator[circuit_pb2.RunStreamAnswer]:
        """Yield the answers that are not checkpoints."""
        return (answer for answer in self if not answer.event.checkpoint)

    def finish(self) -> Mapping[int, list[circuit_pb2.RunStreamAnswer]]:
        """Send no more and read to the end; return each request's changes, or its error."""
        self.end()
        found: defaultdict[int, list[circuit_pb2.RunStreamAnswer]] = defaultdict(list)
        for answer in self.changes():
            found[answer.request].append(answer)
        return found
