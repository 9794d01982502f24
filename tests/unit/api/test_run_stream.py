"""RunStream on a real gRPC server. Jobs change only when a test changes them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog

from quantcloud.auth import api_keys
from quantcloud.auth.principal import Principal
from quantcloud.auth.tokens import jwt
from quantcloud.domain.account import Tier
from quantcloud.domain.job import Job
from quantcloud.services.admission import Submission
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2
from unit.api.service import ADA, MOST, Service, Start, now

SECRET_TEXT = "the password is hunter2"
BREAKS = "breaks"


class Circuits:
    """Creates a job in `service` for each circuit, or raises if its text is `BREAKS`."""

    def __init__(self) -> None:
        self.service: Service
        self.callers: list[Principal] = []

    async def run(self, principal: Principal, submission: Submission, key: object) -> Job:
        self.callers.append(principal)
        if submission.qasm == BREAKS:
            raise RuntimeError(SECRET_TEXT)
        (job_id,) = await self.service.submit()
        return await self.service.store.jobs.get(ADA, job_id)


class Call:
    """One call of RunStream."""

    def __init__(self, service: Service, channel: grpc.aio.Channel, metadata: Any = None) -> None:
        stub = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.rpc: Any = stub.RunStream(metadata=metadata or service.metadata)

    async def send(self, qasm: str = "q") -> None:
        circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        await self.rpc.write(circuit_pb2.RunStreamRequest(circuit=circuit))

    async def answers(self) -> AsyncIterator[circuit_pb2.RunStreamAnswer]:
        async for response in self.rpc:
            for answer in response.answers:
                yield answer


Open = Callable[..., Any]


@pytest.fixture
def opened(start: Start) -> Open:
    """Return a function that starts a service and opens a call."""

    @asynccontextmanager
    async def running(**settings: float) -> AsyncGenerator[tuple[Circuits, Call, Any]]:
        circuits = Circuits()
        async with start(circuits=circuits, **settings) as (service, port):
            circuits.service = service
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield circuits, Call(service, channel), channel

    return running


async def test_an_unexpected_exception_ends_only_its_own_request(opened: Open):
    async with opened() as (_, stream, _):
        with structlog.testing.capture_logs() as lines:
            await stream.send(BREAKS)
            await stream.send()
            answered = {}
            async for answer in stream.answers():
                answered[answer.request] = answer
                if len(answered) == 2:
                    break
        error = answered[1].error
        assert error.code == grpc.StatusCode.INTERNAL.value[0]
        assert error.message.startswith("internal error; request id ")
        assert SECRET_TEXT not in str(error)
        assert answered[2].event.job.status == job_pb2.Job.routing
        (line,) = [line for line in lines if line["event"] == "unexpected exception"]
        assert str(line["exc_info"]) == SECRET_TEXT


async def test_each_request_uses_the_accounts_current_tier(opened: Open):
    async with opened() as (circuits, stream, _):
        answers = stream.answers()
        await stream.send()
        await anext(answers)
        await circuits.service.store.accounts.set_tier(ADA, Tier.EXPLORER)
        await stream.send()
        while (await anext(answers)).request != 2:
            pass
        tiers = [caller.account.tier for caller in circuits.callers]
        assert tiers == [Tier.ENTERPRISE, Tier.EXPLORER]


async def ended(stream: Call, answers: AsyncIterator[object]) -> grpc.StatusCode:
    """Send one more request and return the status of the stream's end."""
    await stream.send()
    with pytest.raises(grpc.aio.AioRpcError) as end:
        async for _ in answers:
            pass
    return end.value.code()


async def test_a_revoked_key_submits_nothing_more_and_ends_the_stream(opened: Open):
    async with opened() as (circuits, _, channel):
        service = circuits.service
        text = api_keys.generate()
        key = await service.store.api_keys.create(
            ADA, "k", api_keys.shown_prefix(text), api_keys.digest(text), now(), limit=9
        )
        stream = Call(service, channel, (("x-api-key", text),))
        answers = stream.answers()
        await stream.send()
        await anext(answers)
        await service.store.api_keys.revoke(ADA, key.id, now())
        assert await ended(stream, answers) is grpc.StatusCode.UNAUTHENTICATED
        assert len(circuits.callers) == 1


async def test_an_expired_token_submits_nothing_more_and_ends_the_stream(
    opened: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jwt, "_CACHE_SECONDS", 0.0)
    async with opened() as (circuits, stream, _):
        answers = stream.answers()
        await stream.send()
        await anext(answers)
        # The same effect as two hours later.
        monkeypatch.setattr(jwt, "_LEEWAY", timedelta(hours=-2))
        assert await ended(stream, answers) is grpc.StatusCode.UNAUTHENTICATED
        assert len(circuits.callers) == 1


async def test_an_accounts_open_streams_are_limited_and_each_end_makes_room(opened: Open):
    async with opened() as (circuits, first, channel):
        for each in (first, *(Call(circuits.service, channel) for _ in range(MOST - 1))):
            await each.rpc.initial_metadata()
        refused = Call(circuits.service, channel)
        assert await refused.rpc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await refused.rpc.details() == (
            f"too many streams of circuits of this account: {MOST} may be open at once; close some"
        )
        await first.rpc.done_writing()
        assert await first.rpc.code() is grpc.StatusCode.OK
        again = Call(circuits.service, channel)
        await again.rpc.done_writing()
        assert await again.rpc.code() is grpc.StatusCode.OK
