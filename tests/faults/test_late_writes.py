"""A server is stopped until its leases have ended, then continues: the writes of its runs are late.

By then another server has its jobs. `SOAK_LATE` is the total number of late writes.
`tests/unit/storage/jobs/test_late_writes.py` makes a hundred at once.
"""

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest

from support.api import Api
from support.chaos.clients import TIMEOUT_SECONDS, Circuit, Clients
from support.chaos.deployments import Deployment
from support.chaos.guarantees import violations
from support.chaos.history import Expected, History, Kill
from support.circuits import HEADER
from support.external.postgres import Postgres, installations
from support.processes import descendants
from thequantcloud.v1 import job_pb2

LATE = int(os.environ.get("SOAK_LATE", "3"))
_JOBS_PER_ROUND = 10
_QASM = f"{HEADER}qreg q[2];\ncreg c[2];\nmeasure q -> c;\n"
# Long enough to stop the server during it.
_NAP = Circuit(_QASM, "nap", Expected(frozenset({"11"}), 2500))


class _Service:
    """Two servers. All jobs are submitted to the first, and watched on the second."""

    def __init__(self, deployment: Deployment, history: History, credential: str) -> None:
        self.history = history
        self.first, self.second = deployment.servers
        self._workers: set[int] = set()
        self._first_api = Api(self.first.channel, self.first.rest, credential)
        self._api = Api(self.second.channel, self.second.rest, credential)
        self._submitters = Clients(deployment.targets[:1], credential, history, "submitters")
        self.watchers = Clients(deployment.targets[1:2], credential, history, "watchers")

    async def close(self) -> None:
        await self._submitters.close()
        await self.watchers.close()

    async def round(self, number: int, name: int) -> int:
        """Stop the first server while it runs `number` jobs. Return how many runs it lost."""
        random_ = random.Random(name)
        # Pause the second server, because the first server that sees a job may claim it.
        self.second.process.send_signal(signal.SIGSTOP)
        try:
            jobs = await asyncio.gather(
                *(
                    self._submitters.submit(_NAP, f"{name}.{place}", random_)
                    for place in range(number)
                )
            )
            for job in jobs:
                await asyncio.to_thread(self._first_api.until, job, job_pb2.Job.running)
        finally:
            self.second.process.send_signal(signal.SIGCONT)
        self.history.kills.append(Kill("stopped", time.time(), costs_runs=True))
        self._workers |= descendants(self.first.process.pid)
        self.first.process.send_signal(signal.SIGSTOP)
        try:
            # By then the stopped server's runs have ended, and the second server runs the jobs.
            for job in jobs:
                await asyncio.to_thread(self._runs_again, job)
        finally:
            self.first.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(
                *(self.watchers.watch(job, f"watcher of {job}", random_) for job in jobs)
            )
        return sum([await asyncio.to_thread(self._was_lost, job) for job in jobs])

    def _runs_again(self, job: str) -> None:
        """Wait until a job runs for the second time, or ends in its first run."""
        runs = 0
        for event in self._api.watch(job):
            # A checkpoint only repeats the state of the job.
            runs += not event.checkpoint and event.job.status == job_pb2.Job.running
            if runs > 1:
                break

    def _was_lost(self, job: str) -> bool:
        """Return whether the first server lost a job's run. If so, check who made the result."""
        statuses = [event.job.status for event in self._api.watch(job) if not event.checkpoint]
        if statuses.count(job_pb2.Job.dispatched) == 1:
            return False
        result = self._api.jobs.GetJobResult(
            job_pb2.GetJobResultRequest(id=job), metadata=self._api.metadata
        )
        assert result.metadata["process"] not in self._workers
        return True


@pytest.mark.skipif(not installations(), reason="needs PostgreSQL")
async def test_no_late_write_is_accepted(tmp_path: Path):
    number = min(LATE, _JOBS_PER_ROUND)
    postgres = Postgres(installations()[max(installations())])
    deployment = Deployment(tmp_path, postgres=postgres, servers=2, workers=number)
    history = History()
    with deployment:
        credential = deployment.token()
        service = _Service(deployment, history, credential)
        lost = rounds = 0
        while lost < LATE and rounds < 2 * LATE:
            lost += await service.round(number, rounds)
            rounds += 1
        # The server ends when it has finished all its runs, including the lost ones.
        assert await asyncio.to_thread(service.first.stop, signal.SIGTERM) == 0
        await service.watchers.read_finals()
        await service.close()
    refused = deployment.servers[0].log_path.read_text().count("late write refused")
    print(f"{lost} runs lost in {rounds} rounds, {refused} late writes refused")  # noqa: T201 (the result of a soak)
    assert violations(history) == []
    assert lost >= LATE
