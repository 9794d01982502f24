"""Watchers that disconnect at random and resume, at one or several servers on one database."""

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
    """Watch a job to its end; after each disconnect, resume at one of `servers`."""
    seen: list[job_pb2.JobEvent] = []
    while not seen or seen[-1].job.status not in TERMINAL:
        after = seen[-1].sequence if seen else 0
        stream = rng.choice(servers).watch(job, after_sequence=after)
        remaining = rng.randrange(1, 6)
        for event in stream:
            if not event.checkpoint:
                seen.append(event)
                remaining -= 1
                if not remaining:
                    break
        stream.cancel()
    return seen


def see_the_log(servers: Sequence[Api], *, watchers: int = 100, jobs: int = 50) -> None:
    """Assert that each watcher gets exactly the events that the log has afterwards.

    `servers` are clients of one account on servers that share a database. Jobs are submitted to
    each server in turn while the watchers disconnect and resume.
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
    """Return an event without the fields that depend on when it is read."""
    copy = job_pb2.JobEvent()
    copy.CopyFrom(event)
    copy.ClearField("queue_position")
    copy.DiscardUnknownFields()  # an absent position is encoded as one
    return copy
