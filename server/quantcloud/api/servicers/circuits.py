"""CircuitService: run circuits, plan runs, save circuits."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from quantcloud.api.context import IDEMPOTENCY_KEY, Context, current, principal
from quantcloud.api.convert import circuits as convert
from quantcloud.api.convert.idempotency import idempotency_key
from quantcloud.api.convert.options import take_json_options
from quantcloud.api.convert.values import given, unstruct
from quantcloud.api.servicers.runs import Runs
from quantcloud.api.servicers.watches import Watches
from quantcloud.domain.errors import InvalidArgument
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from quantcloud.services.saved_circuits import SavedCircuitUseCases
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2


class CircuitServicer(circuit_pb2_grpc.CircuitServiceServicer):
    """The caller's circuits."""

    def __init__(
        self,
        circuits: CircuitUseCases,
        saved: SavedCircuitUseCases,
        jobs: JobUseCases,
        watches: Watches,
    ) -> None:
        self._circuits = circuits
        self._saved = saved
        self._runs = Runs(circuits, jobs, watches)

    async def RunCircuit(
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> circuit_pb2.RunCircuitResponse:
        take_json_options(request)
        job = await self._runs.submit(request, _key())
        current.get().job_id = job.id
        return convert.submitted(job)

    async def RunAndWatch(
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> AsyncGenerator[job_pb2.JobEvent]:
        take_json_options(request)
        job = await self._runs.submit(request, _key())
        current.get().job_id = job.id
        messages = self._runs.watch(job)
        # Free their memory: the job may take hours, and so may the pause after an event.
        del request, job
        async with aclosing(messages.updates) as updates:
            async for update in updates:
                message = await messages.message(update)
                current.get().at_end = update.is_last
                yield message
                del update, message

    async def RunStream(
        self,
        request_iterator: AsyncIterator[circuit_pb2.RunStreamRequest],
        context: Context,
    ) -> AsyncGenerator[circuit_pb2.RunStreamResponse]:
        async with aclosing(self._runs.stream(request_iterator)) as responses:
            async for response in responses:
                yield response
                del response

    async def RunCircuits(
        self, request: circuit_pb2.RunCircuitsRequest, context: Context
    ) -> circuit_pb2.RunCircuitsResponse:
        await convert.take_options(request.circuits)
        key = await idempotency_key(_key(), request, IDEMPOTENCY_KEY)
        submissions = await convert.submissions(request)
        batch = await self._circuits.run_batch(principal(), submissions, key)
        return convert.batch(batch)

    async def PlanCircuit(
        self, request: circuit_pb2.RunCircuitRequest, context: Context
    ) -> circuit_pb2.PlanCircuitResponse:
        take_json_options(request)
        plan = await self._circuits.plan(principal(), await convert.submission(request))
        return convert.plan(plan)

    async def DrawCircuit(
        self, request: circuit_pb2.DrawCircuitRequest, context: Context
    ) -> circuit_pb2.DrawCircuitResponse:
        return convert.drawing(*await self._circuits.draw(principal(), request.qasm))

    async def CreateCircuit(
        self, request: circuit_pb2.CreateCircuitRequest, context: Context
    ) -> circuit_pb2.Circuit:
        circuit = await self._saved.create(
            principal(),
            name=request.name,
            code=given(request, "code"),
            qasm=given(request, "qasm"),
            num_qubits=given(request, "num_qubits"),
            metadata=unstruct(request.metadata, "metadata"),
        )
        return convert.circuit(circuit)

    async def ListCircuits(
        self, request: circuit_pb2.ListCircuitsRequest, context: Context
    ) -> circuit_pb2.ListCircuitsResponse:
        page, token = await self._saved.list(
            principal(),
            limit=given(request, "limit"),
            offset=given(request, "offset"),
            page_token=given(request, "page_token"),
        )
        return await convert.circuits(page, token)

    async def GetCircuit(
        self, request: circuit_pb2.GetCircuitRequest, context: Context
    ) -> circuit_pb2.Circuit:
        return convert.circuit(await self._saved.get(principal(), request.id))

    async def UpdateCircuit(
        self, request: circuit_pb2.UpdateCircuitRequest, context: Context
    ) -> circuit_pb2.Circuit:
        circuit = await self._saved.update(principal(), request.id, convert.patch(request))
        return convert.circuit(circuit)

    async def DeleteCircuit(
        self, request: circuit_pb2.DeleteCircuitRequest, context: Context
    ) -> circuit_pb2.DeleteCircuitResponse:
        await self._saved.delete(principal(), request.id)
        return circuit_pb2.DeleteCircuitResponse(detail="Circuit deleted")


def _key() -> str | None:
    """Return the idempotency key of the call, if it has one. Raises `InvalidArgument`."""
    keys = current.get().idempotency_keys
    if len(keys) > 1:
        raise InvalidArgument(IDEMPOTENCY_KEY, "is given twice, with different values; send one")
    return next(iter(keys), None)
