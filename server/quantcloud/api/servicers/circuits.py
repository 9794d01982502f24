"""CircuitService: run circuits, plan runs, save circuits."""

from typing import Any

from quantcloud.api.access import headers_of
from quantcloud.api.context import Context, principal
from quantcloud.api.convert import circuits as convert
from quantcloud.api.convert.idempotency import HEADER, idempotency_key
from quantcloud.api.convert.options import take_json_options
from quantcloud.api.convert.values import given, unstruct
from quantcloud.api.servicers.run_stream import RunStream
from quantcloud.api.servicers.watches import Watches
from quantcloud.api.session import BidiSession
from quantcloud.domain.job import Job
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc


class CircuitServicer(circuit_pb2_grpc.CircuitServiceServicer):
    """The caller's circuits."""

    def __init__(self, circuits: CircuitUseCases, jobs: JobUseCases, watches: Watches) -> None:
        self._circuits = circuits
        self._jobs = jobs
        self._watches = watches

    async def RunCircuit(
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> circuit_pb2.RunCircuitResponse:
        return convert.submitted(await self._run(request, context))

    async def RunAndWatch(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> Any:
        """Return the watch. The interceptor sends its messages."""
        job = await self._run(request, context)
        return self._watches.of_run(job.id)

    async def RunStream(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, session: BidiSession, context: Context
    ) -> None:
        """Read and answer the requests itself, through the session from the interceptor."""
        await RunStream(self._circuits, self._jobs, self._watches, session).serve()

    async def _run(self, request: circuit_pb2.RunCircuitRequest, context: Context) -> Job:
        take_json_options(request)
        key = await idempotency_key(headers_of(context).get(HEADER), request)
        return await self._circuits.run(principal(), convert.submission(request), key)

    async def RunCircuits(
        self, request: circuit_pb2.RunCircuitsRequest, context: Context
    ) -> circuit_pb2.RunCircuitsResponse:
        await convert.take_options(request.circuits)
        key = await idempotency_key(headers_of(context).get(HEADER), request)
        batch = await self._circuits.run_batch(principal(), convert.submissions(request), key)
        return convert.batch(batch)

    async def PlanCircuit(
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> circuit_pb2.PlanCircuitResponse:
        take_json_options(request)
        plan = await self._circuits.plan(principal(), convert.submission(request))
        return convert.plan(plan)

    async def CreateCircuit(
        self, request: circuit_pb2.CreateCircuitRequest, context: Context
    ) -> Any:
        """Return the bytes of the message."""
        circuit = await self._circuits.create(
            principal(),
            name=request.name,
            code=given(request, "code"),
            qasm=given(request, "qasm"),
            num_qubits=given(request, "num_qubits"),
            metadata=unstruct(request.metadata, "metadata"),
        )
        return convert.circuit(circuit)

    async def ListCircuits(self, request: circuit_pb2.ListCircuitsRequest, context: Context) -> Any:
        """Return the bytes of the message."""
        page, cursor = await self._circuits.list(
            principal(),
            limit=given(request, "limit"),
            offset=given(request, "offset"),
            after_cursor=given(request, "after_cursor"),
        )
        return await convert.circuits(page, cursor)

    async def GetCircuit(self, request: circuit_pb2.GetCircuitRequest, context: Context) -> Any:
        """Return the bytes of the message."""
        return convert.circuit(await self._circuits.get(principal(), request.id))

    async def UpdateCircuit(
        self, request: circuit_pb2.UpdateCircuitRequest, context: Context
    ) -> Any:
        """Return the bytes of the message."""
        circuit = await self._circuits.update(principal(), request.id, convert.patch(request))
        return convert.circuit(circuit)

    async def DeleteCircuit(
        self, request: circuit_pb2.DeleteCircuitRequest, context: Context
    ) -> circuit_pb2.DeleteCircuitResponse:
        await self._circuits.delete(principal(), request.id)
        return circuit_pb2.DeleteCircuitResponse(detail="Circuit deleted")
