"""Servicers by themselves: without their handlers, on the server of grpcio-testing."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantcloud.api.context import Caller, current
from quantcloud.api.errors import refuse
from quantcloud.api.servicers.accounts import AccountServicer, ApiKeyServicer
from quantcloud.api.servicers.circuits import CircuitServicer
from quantcloud.api.servicers.jobs import JobServicer
from quantcloud.api.servicers.watches import Watches
from quantcloud.api.session import Session
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.tokens.jwt import Issuer
from quantcloud.auth.tokens.sign_in import SignInCodes
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus
from quantcloud.domain.job_filter import JobFilter
from quantcloud.domain.outlook import Wait, WaitReason
from quantcloud.domain.page import Page
from quantcloud.services.accounts import AccountUseCases
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import Store
from quantcloud.watching.update import AccountUpdate, JobUpdate, PlacedEvent
from thequantcloud.v1 import (
    account_pb2,
    api_key_pb2,
    circuit_pb2,
    job_pb2,
)
from unit.api.blocking import Calls, LoopThread
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

    async def waits(self, jobs: Sequence[Job]) -> Mapping[str, Wait]:
        return {job.id: Wait(WaitReason.MEMORY, RUNNING.occurred_at) for job in jobs}

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


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as running:
        yield running


def calls(module: Any, service: str, servicer: object, loop: LoopThread) -> Calls:
    """Return calls that are all of the same caller."""
    descriptor = module.DESCRIPTOR.services_by_name[service]
    return Calls(descriptor, servicer, loop, lambda: current.set(Trusted()))


@pytest.fixture
def jobs(loop: LoopThread) -> Calls:
    fake: Any = Jobs()
    return calls(job_pb2, "JobService", JobServicer(fake, Watches(fake)), loop)


@pytest.fixture
def circuits(loop: LoopThread) -> Calls:
    fake: Any = Jobs()
    runs: Any = Circuits()
    servicer = CircuitServicer(runs, runs, fake, Watches(fake))
    return calls(circuit_pb2, "CircuitService", servicer, loop)


def test_jobs_are_messages(jobs: Calls):
    job = jobs.unary("GetJob", job_pb2.GetJobRequest(id="j", wait_seconds=5))
    assert (job.job_id, job.status, job.shots) == ("j", job_pb2.Job.running, 4)
    listed = jobs.unary("ListJobs", job_pb2.ListJobsRequest(status=[job.status], limit=7))
    assert [*listed.jobs] == [job]
    assert (listed.count, listed.total, listed.limit) == (1, 1, 7)
    assert listed.next_page_token == "next"
    result = jobs.unary("GetJobResult", job_pb2.GetJobResultRequest(id="j"))
    assert dict(result.counts) == result_of().counts
    assert sum(result.probabilities.values()) == pytest.approx(1)
    cancelled = jobs.unary("CancelJob", job_pb2.CancelJobRequest(id="j"))
    assert (cancelled.job_id, cancelled.status) == ("j", job_pb2.Job.cancelled)


def test_a_watch_yields_the_events_of_a_job(jobs: Calls):
    request = job_pb2.WatchJobRequest(id="j", after_sequence=2, with_result=True)
    checkpoint, running, done = jobs.stream("WatchJob", request)
    assert (checkpoint.checkpoint, checkpoint.sequence) == (True, 2)
    assert (running.sequence, running.job.status) == (3, job_pb2.Job.running)
    assert dict(done.result.counts) == result_of().counts


def test_a_watch_of_all_jobs_yields_checkpoints_and_events(jobs: Calls):
    first, second = jobs.stream("WatchJobs", job_pb2.WatchJobsRequest())
    assert (first.checkpoint, first.cursor) == (True, "6")
    assert (second.checkpoint, second.cursor) == (False, "8")
    assert [event.queue_position for event in second.events] == [1, 0]
    assert not second.events[1].HasField("result")


def test_a_run_is_answered_with_its_job_or_with_the_jobs_events(circuits: Calls):
    request = circuit_pb2.RunCircuitRequest(qasm="q")
    submitted = circuits.unary("RunCircuit", request)
    assert (submitted.job_id, submitted.status) == ("j", job_pb2.Job.submitted)
    events = circuits.stream("RunAndWatch", request)
    assert [event.job.status for event in events] == [job_pb2.Job.running, job_pb2.Job.completed]
    assert dict(events[-1].result.counts) == result_of().counts


def test_a_stream_answers_each_request(circuits: Calls):
    requests = [
        circuit_pb2.RunStreamRequest(circuit=circuit_pb2.RunCircuitRequest(qasm=qasm))
        for qasm in ("bad", "q")
    ]
    responses = circuits.bidi("RunStream", requests)
    answers = [answer for response in responses for answer in response.answers]
    (refused,) = [answer for answer in answers if answer.request == 1]
    assert refused.error.message == "qasm: is no circuit"
    events = [answer.event for answer in answers if answer.request == 2]
    assert [event.sequence for event in events] == [3, 4]
    assert dict(events[-1].result.counts) == result_of().counts


def test_a_saved_circuit_is_a_message(circuits: Calls):
    circuit = circuits.unary("GetCircuit", circuit_pb2.GetCircuitRequest(id="c"))
    assert (circuit.id, circuit.user_id, circuit.name) == ("c", ADA, "bell")
    assert [*circuit.metadata["a"]] == [1, None]


def test_an_account_and_its_keys_are_messages(tmp_path: Path, loop: LoopThread):
    store = loop.run(Store.open(tmp_path / "quantcloud.db"))
    loop.run(store.accounts.ensure(ADA, email=None, name=None, at=now(), tier=Tier.ENTERPRISE))
    codes = SignInCodes(Issuer("x" * 32, "authenticated"), now)
    use_cases = AccountUseCases(store, now, DEFAULT_TIERS.__getitem__, codes)
    keys = calls(api_key_pb2, "ApiKeyService", ApiKeyServicer(use_cases), loop)
    created = keys.unary("CreateApiKey", api_key_pb2.CreateApiKeyRequest(name="laptop"))
    (listed,) = keys.unary("ListApiKeys", api_key_pb2.ListApiKeysRequest()).api_keys
    assert (listed.id, listed.name) == (created.id, "laptop")
    assert not listed.HasField("last_used_at")
    keys.unary("RevokeApiKey", api_key_pb2.RevokeApiKeyRequest(id=created.id))
    assert not keys.unary("ListApiKeys", api_key_pb2.ListApiKeysRequest()).api_keys
    accounts = calls(account_pb2, "AccountService", AccountServicer(use_cases), loop)
    profile = accounts.unary("GetProfile", account_pb2.GetProfileRequest())
    assert (profile.id, profile.email) == (ADA, "ada@example.com")
    usage = accounts.unary("GetUsage", account_pb2.GetUsageRequest())
    assert usage.tier == profile.tier != 0
    assert usage.limits.max_shots == DEFAULT_TIERS[Tier.ENTERPRISE].max_shots
    loop.run(store.close())
