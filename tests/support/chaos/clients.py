"""Clients of a service whose parts are killed: they submit, watch, cancel, and record all answers.

The seed chooses how they call: a server's gRPC port or Envoy, and which server. They retry until
they succeed: submissions with their idempotency key, watches from their last event.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from support.chaos.history import (
    TERMINAL,
    Answer,
    Cancel,
    Event,
    Expected,
    Final,
    History,
    Submission,
    Usage,
    View,
)
from support.circuits import BELL, HEADER
from thequantcloud.v1 import (
    account_pb2,
    account_pb2_grpc,
    circuit_pb2,
    circuit_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
)

CALL_SECONDS = 15
# How long all jobs may take to end after the last kill.
TIMEOUT_SECONDS = 60
_AGAIN_SECONDS = 0.2
# Reconnect soon after the server may have started again.
_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit with the result that it must have."""

    qasm: str
    backend: str | None
    expected: Expected


def _basis(random_: random.Random) -> Circuit:
    """A basis state with a random pattern, to distinguish results of different jobs."""
    bits = [random_.random() < 0.5 for _ in range(8)]
    flips = "".join(f"x q[{place}];\n" for place, bit in enumerate(bits) if bit)
    outcome = "".join("01"[bit] for bit in reversed(bits))
    qasm = f"{HEADER}qreg q[8];\ncreg c[8];\n{flips}measure q -> c;\n"
    shots = random_.randint(1, 200)
    return Circuit(qasm, "local_simulator", Expected(frozenset({outcome}), shots))


def _bell(random_: random.Random) -> Circuit:
    backend = random_.choice([None, "aer_simulator"])
    return Circuit(BELL, backend, Expected(frozenset({"00", "11"}), random_.randint(1, 500)))


def _nap(random_: random.Random) -> Circuit:
    """A run that takes a millisecond per shot, so that most kills hit some run."""
    width = random_.randint(1, 5)
    qasm = f"{HEADER}qreg q[{width}];\ncreg c[{width}];\nmeasure q -> c;\n"
    return Circuit(qasm, "nap", Expected(frozenset({"1" * width}), random_.randint(100, 1500)))


_MIX = (_basis, _bell, _nap, _nap)


class Clients:
    """Users of one account, each with one job at a time. `targets` are HOST:PORT."""

    def __init__(
        self, targets: Sequence[str], credential: str, history: History, seed: object
    ) -> None:
        self._history = history
        self._random = random.Random(f"clients {seed}")
        self._metadata = (("authorization", f"Bearer {credential}"),)
        self._channels = [grpc.aio.insecure_channel(target, _CHANNEL) for target in targets]
        self._stopping = asyncio.Event()

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    def stop(self) -> None:
        """Submit no more."""
        self._stopping.set()

    async def work(self, number: int) -> None:
        """Let `number` users submit until `stop`, and wait for all their jobs."""
        # From before the first job, so that no event is missed.
        cursor = await self._first_cursor()
        everything = asyncio.create_task(self._watch_all("watcher of all", cursor))
        try:
            await asyncio.gather(*(self._user(place) for place in range(number)))
            await everything
        finally:
            everything.cancel()
            await asyncio.gather(everything, return_exceptions=True)

    async def _user(self, place: int) -> None:
        random_ = random.Random(self._random.random())
        while not self._stopping.is_set():
            circuit = random_.choice(_MIX)(random_)
            key = str(uuid.UUID(int=random_.getrandbits(128)))
            job = await self.submit(circuit, key, random_)
            follow = [
                self.watch(job, f"watcher {place}.{each}", random_)
                for each in range(random_.randint(1, 2))
            ]
            if random_.random() < 0.2:
                follow.append(self._cancel(job, random_))
            await asyncio.gather(*follow)

    def _channel(self, random_: random.Random) -> grpc.aio.Channel:
        return random_.choice(self._channels)

    async def submit(self, circuit: Circuit, key: str, random_: random.Random) -> str:
        """Submit with a random RPC until it is acknowledged; return the job's id."""
        request = circuit_pb2.RunCircuitRequest(
            qasm=circuit.qasm, backend=circuit.backend, shots=circuit.expected.shots
        )
        metadata = (*self._metadata, ("idempotency-key", key))
        while True:
            began = time.time()
            job, answer = "", Answer("OK")
            stub = circuit_pb2_grpc.CircuitServiceStub(self._channel(random_))
            try:
                match random_.randrange(3):
                    case 0:
                        reply = await stub.RunCircuit(
                            request, metadata=metadata, timeout=CALL_SECONDS
                        )
                        job = reply.job_id
                    case 1:
                        job = await _first(
                            stub.RunAndWatch(request, metadata=metadata, timeout=CALL_SECONDS)
                        )
                    case _:
                        one = circuit_pb2.RunStreamRequest(circuit=request, idempotency_key=key)
                        job = await _first_of_stream(
                            stub.RunStream(
                                iter([one]), metadata=self._metadata, timeout=CALL_SECONDS
                            )
                        )
            except grpc.aio.AioRpcError as error:
                answer = _answer(error)
            except RefusedError as error:
                answer = error.answer
            self._history.submissions.append(
                Submission(key, circuit.expected, began, time.time(), answer, job)
            )
            if job:
                return job
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _cancel(self, job: str, random_: random.Random) -> None:
        await asyncio.sleep(random_.random())
        answered = False
        while not answered:
            began = time.time()
            answer = Answer("OK")
            stub = job_pb2_grpc.JobServiceStub(self._channel(random_))
            try:
                await stub.CancelJob(
                    job_pb2.CancelJobRequest(id=job), metadata=self._metadata, timeout=CALL_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                answer = _answer(error)
            self._history.cancels.append(Cancel(job, began, time.time(), answer))
            answered = answer.code not in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
            if not answered:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def watch(self, job: str, watcher: str, random_: random.Random) -> None:
        """Watch a job to its end over several streams; some are closed on purpose."""
        last, ended = 0, False
        while not ended:
            view = View(watcher, job, last)
            self._history.views.append(view)
            request = job_pb2.WatchJobRequest(id=job, after_sequence=last, with_result=True)
            stub = job_pb2_grpc.JobServiceStub(self._channel(random_))
            call = stub.WatchJob(request, metadata=self._metadata)
            leaves = random_.random() < 0.2
            try:
                async for message in call:
                    if message.checkpoint:
                        continue
                    view.events.append(_event(message))
                    last, ended = message.sequence, ended or view.events[-1].status in TERMINAL
                    if leaves and not ended and random_.random() < 0.5:
                        break
                else:
                    view.answer = Answer("OK")
            except grpc.aio.AioRpcError as error:
                view.answer = _answer(error)
            finally:
                call.cancel()
            if view.answer is not None and not ended:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _first_cursor(self) -> str:
        """Return a cursor before the account's first event."""
        while True:
            stub = job_pb2_grpc.JobServiceStub(self._channel(self._random))
            call = stub.WatchJobs(job_pb2.WatchJobsRequest(), metadata=self._metadata)
            try:
                return (await call.read()).cursor
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                call.cancel()

    async def _watch_all(self, watcher: str, cursor: str) -> None:
        """Watch all jobs of the account until all acknowledged ones have ended."""
        ended: set[str] = set()
        random_ = random.Random(self._random.random())
        done = False
        while not done:
            view = View(watcher, "", 0)
            self._history.views.append(view)
            stub = job_pb2_grpc.JobServiceStub(self._channel(random_))
            call = stub.WatchJobs(
                job_pb2.WatchJobsRequest(after_cursor=cursor, with_result=True),
                metadata=self._metadata,
            )
            try:
                async for response in call:
                    cursor = response.cursor
                    for event in map(_event, response.events):
                        view.events.append(event)
                        if event.status in TERMINAL:
                            ended.add(event.job)
                    # Checkpoints make this check run even if nothing happens.
                    if self._stopping.is_set() and ended >= self._history.acknowledged.keys():
                        done = True
                        break
            except grpc.aio.AioRpcError as error:
                view.answer = _answer(error)
                await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                call.cancel()

    async def read_finals(self) -> None:
        """Read the final state of all jobs with new calls."""
        history, channel = self._history, self._channels[0]
        jobs = job_pb2_grpc.JobServiceStub(channel)
        options = {"metadata": self._metadata, "timeout": CALL_SECONDS}
        while True:
            page = await jobs.ListJobs(
                job_pb2.ListJobsRequest(limit=100, offset=len(history.listed)), **options
            )
            history.listed += [job.job_id for job in page.jobs]
            if not page.jobs:
                break
        for job in {**dict.fromkeys(history.listed), **history.acknowledged}:
            history.finals[job] = await self._final(jobs, job)
        accounts = account_pb2_grpc.AccountServiceStub(channel)
        usage = await accounts.GetUsage(account_pb2.GetUsageRequest(), **options)
        month = usage.current_month
        history.usage = Usage(month.total_jobs, month.simulator_minutes * 60)

    async def _final(self, jobs: job_pb2_grpc.JobServiceStub, job: str) -> Final:
        options = {"metadata": self._metadata, "timeout": CALL_SECONDS}
        log: list[Event] = []
        counts, seconds = None, 0.0
        try:
            request = job_pb2.WatchJobRequest(id=job, after_sequence=0, with_result=True)
            async for message in jobs.WatchJob(request, **options):
                if not message.checkpoint:
                    log.append(_event(message))  # noqa: PERF401 # keeps events if the stream breaks
            status = (await jobs.GetJob(job_pb2.GetJobRequest(id=job), **options)).status
            result = await jobs.GetJobResult(job_pb2.GetJobResultRequest(id=job), **options)
            counts, seconds = dict(result.counts), result.execution_time_ms / 1000
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or not log:
                return Final(job, f"answered with {error.code().name}", tuple(log))
        return Final(job, job_pb2.Job.Status.Name(status), tuple(log), counts, seconds)


class RefusedError(Exception):
    """The only request of a stream was refused."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


async def _first(call: grpc.aio.UnaryStreamCall) -> str:
    """Return the job of a stream's first event, then cancel the stream."""
    try:
        return (await anext(aiter(call))).job.job_id
    finally:
        call.cancel()


async def _first_of_stream(call: grpc.aio.StreamStreamCall) -> str:
    """Return the job of the first answer, then cancel the stream. Raises `RefusedError`."""
    try:
        async for response in call:
            for answer in response.answers:
                if answer.HasField("error"):
                    (code,) = (
                        each for each in grpc.StatusCode if each.value[0] == answer.error.code
                    )
                    raise RefusedError(Answer(code.name, answer.error.message))
                return answer.event.job.job_id
        raise AssertionError("the stream ended without an answer")
    finally:
        call.cancel()


def _answer(error: grpc.aio.AioRpcError) -> Answer:
    return Answer(error.code().name, error.details() or "")


def _event(message: job_pb2.JobEvent) -> Event:
    job = message.job
    reason = dict(job.metadata.items()).get("reason", "")
    return Event(
        job=job.job_id,
        sequence=message.sequence,
        status=job_pb2.Job.Status.Name(job.status),
        at=message.occurred_at.ToNanoseconds() / 1e9,
        reason=reason if isinstance(reason, str) else "",
        counts=dict(message.result.counts) if message.HasField("result") else None,
    )
