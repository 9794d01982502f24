"""Watchers that hang up at random and resume, at one server or at several on one database."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from support.api import Api
from support.circuits import BELL
from thequantcloud.v1 import job_pb2

TERMINAL = {
    job_pb2.Job.completed, job_pb2.Job.failed, job_pb2.Job.timeout, job_pb2.Job.cancelled,
}  # fmt: skip


def follow(servers: Sequence[Api], job: str, rng: random.Random) -> list[job_pb2.JobEvent]:
    """Watch a job to its end, each time at one of `servers`, after the last event seen."""
    seen: list[job_pb2.JobEvent] = []
    while not seen or seen[-1].job.status not in TERMINAL:
        after = seen[-1].sequence if seen else 0
        stream = rng.choice(servers).watch(job, after_sequence=after)
        patience = rng.randrange(1, 6)
        for event in stream:
            if not event.checkpoint:
                seen.append(event)
                patience -= 1
                if not patience:
                    break
        stream.cancel()
    return seen


def see_the_log(servers: Sequence[Api], *, watchers: int = 100, jobs: int = 50) -> None:
    """Assert that each watcher sees exactly what the log says afterwards, at each of `servers`.

    `servers` are one account's views of servers that share a database. Jobs are submitted to each
    in turn while their watchers come, go and come back.
    """
    submitted: list[str] = []
    go = threading.Event()

    def watcher(number: int) -> tuple[str, list[job_pb2.JobEvent]]:
        go.wait()
        job = submitted[number % jobs]
        return job, follow(servers, job, random.Random(number))

    with ThreadPoolExecutor(watchers) as pool:
        watching = [pool.submit(watcher, number) for number in range(watchers)]
        try:
            submitted += [
                servers[number % len(servers)].run(BELL, backend="local_simulator")
                for number in range(jobs)
            ]
        finally:
            go.set()
        histories = [watcher.result() for watcher in watching]
    for server in servers:
        logs = {
            job: [_plain(e) for e in server.watch(job) if not e.checkpoint] for job in submitted
        }
        for job, history in histories:
            assert [event.sequence for event in history] == list(range(1, len(history) + 1))
            assert [_plain(event) for event in history] == logs[job]


def _plain(event: job_pb2.JobEvent) -> job_pb2.JobEvent:
    """An event without what depends on when it is read."""
    copy = job_pb2.JobEvent()
    copy.CopyFrom(event)
    copy.ClearField("queue_position")
    copy.DiscardUnknownFields()  # that it has no position is said in one
    return copy
