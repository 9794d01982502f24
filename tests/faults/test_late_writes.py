"""A server is stopped past its leases' end and goes on: what its runs gave meanwhile comes late.

Another server has had its jobs by then. `SOAK_LATE` is how many late writes there are in all;
`tests/unit/storage/jobs/test_late_writes.py` has a hundred at once.
"""

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest

from support.api import Api
from support.circuits import HEADER
from support.clients import PATIENCE_SECONDS, Circuit, Clients
from support.deployments import Deployment
from support.guarantees import violations
from support.history import Expected, History, Kill
from support.postgres import Postgres, installations
from support.processes import descendants
from thequantcloud.v1 import job_pb2

LATE = int(os.environ.get("SOAK_LATE", "3"))
_AT_ONCE = 10
_QASM = f"{HEADER}qreg q[2];\ncreg c[2];\nmeasure q -> c;\n"
# Long enough to be stopped in.
_NAP = Circuit(_QASM, "nap", Expected(frozenset({"11"}), 2500))


class _Service:
    """Two servers; all jobs are given to the first, and watched at the second."""

    def __init__(self, deployment: Deployment, history: History, credential: str) -> None:
        self.history = history
        self.first, self.second = deployment.servers
        self._workers: set[int] = set()
        self._first_api = Api(self.first.channel, self.first.rest, credential)
        self._api = Api(self.second.channel, self.second.rest, credential)
        self._givers = Clients(deployment.targets[:1], credential, history, "givers")
        self.watchers = Clients(deployment.targets[1:2], credential, history, "watchers")

    async def close(self) -> None:
        await self._givers.close()
        await self.watchers.close()

    async def round(self, number: int, name: int) -> int:
        """Stop the first server while it runs `number` jobs; how many it lost."""
        random_ = random.Random(name)
        # Whoever hears of a job first may have it: the second server hears of none meanwhile.
        self.second.process.send_signal(signal.SIGSTOP)
        try:
            jobs = await asyncio.gather(
                *(self._givers.submit(_NAP, f"{name}.{place}", random_) for place in range(number))
            )
            for job in jobs:
                await asyncio.to_thread(self._first_api.until, job, job_pb2.Job.running)
        finally:
            self.second.process.send_signal(signal.SIGCONT)
        self.history.kills.append(Kill("stopped", time.time(), costs_runs=True))
        self._workers |= descendants(self.first.process.pid)
        self.first.process.send_signal(signal.SIGSTOP)
        try:
            # What it ran has ended by then, and the second server is at it.
            for job in jobs:
                await asyncio.to_thread(self._runs_again, job)
        finally:
            self.first.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(
                *(self.watchers.watch(job, f"watcher of {job}", random_) for job in jobs)
            )
        return sum([await asyncio.to_thread(self._was_lost, job) for job in jobs])

    def _runs_again(self, job: str) -> None:
        """Wait until a job runs for the second time, or ended in its first run."""
        runs = 0
        for event in self._api.watch(job):
            # A checkpoint only repeats where the job stands.
            runs += not event.checkpoint and event.job.status == job_pb2.Job.running
            if runs > 1:
                break

    def _was_lost(self, job: str) -> bool:
        """Whether a job's run was taken from the first server, whose result it then has not."""
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
    number = min(LATE, _AT_ONCE)
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
        # It ends once it has done with all its runs, those that were lost too.
        assert await asyncio.to_thread(service.first.stop, signal.SIGTERM) == 0
        await service.watchers.look_back()
        await service.close()
    refused = deployment.servers[0].log_path.read_text().count("late write refused")
    print(f"{lost} runs lost in {rounds} rounds, {refused} late writes refused")  # noqa: T201 (what a soak is run for)
    assert violations(history) == []
    assert lost >= LATE
