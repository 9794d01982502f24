"""Servicers on a plain gRPC server: without the interceptor, by their generated stubs.

grpcio-testing has no server for asyncio, so these are in-process `grpc.aio` servers.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.api.context import Caller, current
from quantcloud.api.errors import refuse
from quantcloud.api.servicers.accounts import AccountServicer, ApiKeyServicer
from quantcloud.api.servicers.circuits import CircuitServicer
from quantcloud.api.servicers.jobs import JobServicer
from quantcloud.api.servicers.watches import Watches
from quantcloud.api.session import Session
from quantcloud.auth.jwt import Issuer
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.sign_in import SignInCodes
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus
from quantcloud.domain.job_filter import JobFilter
from quantcloud.domain.page import Page
from quantcloud.services.accounts import AccountUseCases
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import Store
from quantcloud.watching.update import AccountUpdate, JobUpdate, PlacedEvent
from thequantcloud.v1 import (
    account_pb2,
    account_pb2_grpc,
    api_key_pb2,
    api_key_pb2_grpc,
    circuit_pb2,
    circuit_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
)
from unit.api.service import ADA, now
from unit.api.test_event_messages import event_of, result_of

ME = Principal(Account(ADA, Tier.ENTERPRISE, now(), email="ada@example.com"), Credential.JWT)
RUNNING = event_of(JobStatus.RUNNING)
DONE = replace(event_of(JobStatus.COMPLETED, cursor=8, result=result_of()), sequence=4)
NO_CONTEXT: Any = SimpleNamespace(invocation_metadata=tuple)


class Jobs:
    """One job, which completes while it is watched."""

    async def get(self, principal: Principal, job_id: str, *, wait_seconds: int | None) -> Job:
        assert (principal, job_id, wait_seconds) == (ME, "j", 5)
        return RUNNING.job

    async def list(self, _: Principal, **window: Any) -> tuple[Page[Job], str]:
        assert window["wanted"] == JobFilter({JobStatus.RUNNING})
        return Page([RUNNING.job], 1, window["limit"], 0), "next"

    async def starts(self, jobs: Sequence[Job]) -> Mapping[str, datetime]:
        return {job.id: RUNNING.occurred_at for job in jobs}

    async def result(
        self, _: Principal, job_id: str, *, offset: int | None, limit: int | None
    ) -> JobResult:
        assert (job_id, offset, limit) == ("j", None, None)
        return result_of()

    async def cancel(self, principal: Principal, job_id: str) -> None:
        assert (principal, job_id) == (ME, "j")

    async def watch(
        self, _: Principal, _job_id: str, *, after_sequence: int | None, **_options: Any
    ) -> AsyncGenerator[JobUpdate]:
        if after_sequence is not None:
            yield JobUpdate(2, checkpoint=True)
        for event in (RUNNING, DONE):
            yield JobUpdate(event.sequence, event)

    async def watch_all(self, _: Principal, **_options: Any) -> AsyncGenerator[AccountUpdate]:
        yield AccountUpdate(6)
        yield AccountUpdate(8, [PlacedEvent(RUNNING, 1), PlacedEvent(DONE)])

    async def checkpoints(self) -> AsyncGenerator[None]:
        return
        yield

    async def result_of(self, _: JobEvent) -> JobResult:
        return result_of()

    async def small_results_of(self, _: object) -> Sequence[JobResult]:
        return []

    now = staticmethod(now)
    cursor = staticmethod(str)


class Circuits:
    """Accepts each circuit but `bad`, and has one saved circuit."""

    async def run(self, principal: Principal, submission: Any, _key: object) -> Job:
        assert principal == ME
        if submission.qasm == "bad":
            raise InvalidArgument("qasm", "is no circuit")
        return replace(RUNNING.job, status=JobStatus.SUBMITTED)

    async def get(self, principal: Principal, circuit_id: str) -> SavedCircuit:
        return SavedCircuit(
            id=circuit_id, account_id=principal.account_id, name="bell", created_at=now(),
            updated_at=now(), metadata={"a": [1, None]},
        )  # fmt: skip


class Trusted(Session):
    """The session of a caller who may do everything."""

    def __init__(self) -> None:
        Caller.__init__(self, NO_CONTEXT, ME)

    async def allow(self) -> None:
        """Allow each request."""

    def refusal(self, error: Any) -> Any:
        return refuse(error)

    def audit(self, event: str, **fields: str) -> None:
        """Write no audit log."""


@asynccontextmanager
async def plain_server(add: Any, servicer: Any) -> AsyncGenerator[grpc.aio.Channel]:
    """Serve one servicer. All calls are of the same caller."""
    reset = current.set(Trusted())
    server = grpc.aio.server()
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)
        current.reset(reset)


@asynccontextmanager
async def jobs() -> AsyncGenerator[Any]:
    fake: Any = Jobs()
    add, servicer = job_pb2_grpc.add_JobServiceServicer_to_server, JobServicer(fake, Watches(fake))
    async with plain_server(add, servicer) as channel:
        yield job_pb2_grpc.JobServiceStub(channel)


@asynccontextmanager
async def circuits() -> AsyncGenerator[Any]:
    fake: Any = Jobs()
    runs: Any = Circuits()
    add = circuit_pb2_grpc.add_CircuitServiceServicer_to_server
    async with plain_server(add, CircuitServicer(runs, fake, Watches(fake))) as channel:
        yield circuit_pb2_grpc.CircuitServiceStub(channel)


async def test_jobs_are_messages():
    async with jobs() as stub:
        job = await stub.GetJob(job_pb2.GetJobRequest(id="j", wait_seconds=5))
        assert (job.job_id, job.status, job.shots) == ("j", job_pb2.Job.running, 4)
        listed = await stub.ListJobs(job_pb2.ListJobsRequest(status=[job.status], limit=7))
        assert [*listed.jobs] == [job]
        assert (listed.count, listed.total, listed.limit) == (1, 1, 7)
        assert listed.next_page_token == "next"
        result = await stub.GetJobResult(job_pb2.GetJobResultRequest(id="j"))
        assert dict(result.counts) == result_of().counts
        assert sum(result.probabilities.values()) == pytest.approx(1)
        cancelled = await stub.CancelJob(job_pb2.CancelJobRequest(id="j"))
        assert (cancelled.job_id, cancelled.status) == ("j", job_pb2.Job.cancelled)


async def test_a_watch_yields_the_events_of_a_job():
    async with jobs() as stub:
        request = job_pb2.WatchJobRequest(id="j", after_sequence=2, with_result=True)
        checkpoint, running, done = [event async for event in stub.WatchJob(request)]
        assert (checkpoint.checkpoint, checkpoint.sequence) == (True, 2)
        assert (running.sequence, running.job.status) == (3, job_pb2.Job.running)
        assert dict(done.result.counts) == result_of().counts


async def test_a_watch_of_all_jobs_yields_checkpoints_and_events():
    async with jobs() as stub:
        first, second = [each async for each in stub.WatchJobs(job_pb2.WatchJobsRequest())]
        assert (first.checkpoint, first.cursor) == (True, "6")
        assert (second.checkpoint, second.cursor) == (False, "8")
        assert [event.queue_position for event in second.events] == [1, 0]
        assert not second.events[1].HasField("result")


async def test_a_run_is_answered_with_its_job_or_with_the_jobs_events():
    async with circuits() as stub:
        request = circuit_pb2.RunCircuitRequest(qasm="q")
        submitted = await stub.RunCircuit(request)
        assert (submitted.job_id, submitted.status) == ("j", job_pb2.Job.submitted)
        events = [event async for event in stub.RunAndWatch(request)]
        assert [event.job.status for event in events] == [
            job_pb2.Job.running, job_pb2.Job.completed
        ]  # fmt: skip
        assert dict(events[-1].result.counts) == result_of().counts


async def test_a_stream_answers_each_request():
    async def requests() -> AsyncIterator[circuit_pb2.RunStreamRequest]:
        for qasm in ("bad", "q"):
            circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
            yield circuit_pb2.RunStreamRequest(circuit=circuit)

    async with circuits() as stub:
        answers = [
            answer
            async for response in stub.RunStream(requests())
            for answer in response.answers
        ]  # fmt: skip
        (refused,) = [answer for answer in answers if answer.request == 1]
        assert refused.error.message == "qasm: is no circuit"
        events = [answer.event for answer in answers if answer.request == 2]
        assert [event.sequence for event in events] == [3, 4]
        assert dict(events[-1].result.counts) == result_of().counts


async def test_a_saved_circuit_is_a_message():
    async with circuits() as stub:
        circuit = await stub.GetCircuit(circuit_pb2.GetCircuitRequest(id="c"))
        assert (circuit.id, circuit.user_id, circuit.name) == ("c", ADA, "bell")
        assert [*circuit.metadata["a"]] == [1, None]


async def test_an_account_and_its_keys_are_messages(tmp_path: Path):
    store = await Store.open(tmp_path / "quantcloud.db")
    await store.accounts.ensure(ADA, email=None, name=None, at=now(), tier=Tier.ENTERPRISE)
    codes = SignInCodes(Issuer("x" * 32, "authenticated"), now)
    accounts = AccountUseCases(store, now, DEFAULT_TIERS.__getitem__, codes)
    add_keys = api_key_pb2_grpc.add_ApiKeyServiceServicer_to_server
    async with plain_server(add_keys, ApiKeyServicer(accounts)) as channel:
        keys = api_key_pb2_grpc.ApiKeyServiceStub(channel)
        created = await keys.CreateApiKey(api_key_pb2.CreateApiKeyRequest(name="laptop"))
        (listed,) = (await keys.ListApiKeys(api_key_pb2.ListApiKeysRequest())).api_keys
        assert (listed.id, listed.name) == (created.id, "laptop")
        assert not listed.HasField("last_used_at")
        await keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=created.id))
        assert not (await keys.ListApiKeys(api_key_pb2.ListApiKeysRequest())).api_keys
    add = account_pb2_grpc.add_AccountServiceServicer_to_server
    async with plain_server(add, AccountServicer(accounts)) as channel:
        stub = account_pb2_grpc.AccountServiceStub(channel)
        profile = await stub.GetProfile(account_pb2.GetProfileRequest())
        assert (profile.id, profile.email) == (ADA, "ada@example.com")
        usage = await stub.GetUsage(account_pb2.GetUsageRequest())
        assert usage.tier == profile.tier != 0
        assert usage.limits.max_shots == DEFAULT_TIERS[Tier.ENTERPRISE].max_shots
    await store.close()
