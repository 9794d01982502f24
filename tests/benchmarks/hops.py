"""Follows one warm Bell job through the server's code: `python tests/benchmarks/hops.py`.

A *room* is a folder of server/quantcloud/, or a module directly in it. With `sys.setprofile`, and
`threading.setprofile` for threads, these are counted from the call of RunAndWatch until the server
is idle again:

- calls: functions of the rooms that begin. A coroutine or generator counts once, when its body
  begins, however often it is resumed. Comprehensions, methods that dataclasses generate, libraries
  and worker processes do not count.
- files: the distinct files of those functions.
- hops: calls whose nearest caller in any room is in another room. Frames of libraries in between
  are looked through. A call without a caller in a room, such as a task's first step, is no hop.
- entries: those calls without a caller.
- callbacks: calls from storage to scheduling, and from scheduling to storage where storage is
  also further up the stack. Frames of other rooms in between are looked through.
- notifications: the same, below `Writer.publish`. That tells the events of a commit to all
  listeners, when the unit of work is over; so these are not among the callbacks.

The server runs in this process, without Envoy. The figures are medians of several jobs.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import grpc.aio
import jwt

sys.path.insert(0, str(Path(__file__).parents[1]))

import quantcloud
from benchmarks.figures import Target
from benchmarks.workloads import BELL, SHOTS
from quantcloud.app import Application
from quantcloud.settings import Settings
from quantcloud.storage.unit_of_work.group_commit import Writer
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc

# The server runs Bell circuits itself on the first, and in a worker on the second.
BACKENDS = ("local_simulator", "aer_simulator")
BUDGETS = {"hops": Target("<=", 120), "callbacks": Target("<=", 0)}
WARM_UP = 20
JOBS = 5
SETTLE_SECONDS = 0.3
TIMEOUT_SECONDS = 60

_FOLDER = f"{Path(quantcloud.__file__).parent}/"
_SECRET = "a-secret-for-one-benchmark-that-is-long-enough-for-hs256"
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_AFTER_COMMIT = Writer.publish.__code__
_BACK_AND_FORTH = {"storage", "scheduling"}
# The low bits of RESUME's argument: 0 where a body begins, more after a yield or await.
_RESUMED = 3


class Place(NamedTuple):
    """A function of the server: its room, its file, and its name in the file."""

    room: str
    file: str
    name: str
    after_commit: bool


class Call(NamedTuple):
    """A call, and its callers in the rooms, the nearest first."""

    callee: Place
    callers: tuple[Place, ...]

    @property
    def hop(self) -> tuple[str, str] | None:
        """The rooms that it crosses from and to."""
        if not self.callers or self.callers[0].room == self.callee.room:
            return None
        return self.callers[0].room, self.callee.room

    @property
    def is_nested(self) -> bool:
        """Whether it is from storage to scheduling, or back to storage below such a call."""
        if self.callee.room not in _BACK_AND_FORTH:
            return False
        rooms = [each.room for each in self.callers if each.room in _BACK_AND_FORTH]
        return bool(rooms) and rooms[0] != self.callee.room and "storage" in rooms

    @property
    def is_after_commit(self) -> bool:
        return any(each.after_commit for each in self.callers)

    def __str__(self) -> str:
        return " < ".join(f"{each.file}:{each.name}" for each in (self.callee, *self.callers))


class Recorder:
    """Records the calls in all threads that start after it, while `on` is set."""

    def __init__(self) -> None:
        self.on = False
        self.calls: list[Call] = []
        self._places: dict[CodeType, Place | None] = {}
        self._bytecode: dict[CodeType, bytes] = {}
        threading.setprofile(self._follow)
        sys.setprofile(self._follow)

    def _follow(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.on or event != "call" or (callee := self._place(frame.f_code)) is None:
            return
        if self._is_resumed(frame) or frame.f_code.co_name in _COMPREHENSIONS:
            return
        callers: list[Place] = []
        caller = frame.f_back
        while caller is not None:
            if (place := self._place(caller.f_code)) is not None:
                callers.append(place)
            caller = caller.f_back
        self.calls.append(Call(callee, tuple(callers)))

    def _place(self, code: CodeType) -> Place | None:
        if code not in self._places:
            file = code.co_filename.removeprefix(_FOLDER)
            room = file.split("/")[0].removesuffix(".py")
            found = Place(room, file, code.co_qualname, code is _AFTER_COMMIT)
            self._places[code] = found if file != code.co_filename else None
        return self._places[code]

    def _is_resumed(self, frame: FrameType) -> bool:
        code = frame.f_code
        if code not in self._bytecode:
            self._bytecode[code] = code.co_code
        return bool(self._bytecode[code][frame.f_lasti + 1] & _RESUMED)


def counted(calls: Sequence[Call]) -> dict[str, int]:
    """Return the figures of one job by name."""
    nested = [call for call in calls if call.is_nested]
    notifications = sum(call.is_after_commit for call in nested)
    return {
        "hops": sum(call.hop is not None for call in calls),
        "callbacks": len(nested) - notifications,
        "notifications": notifications,
        "entries": sum(not call.callers for call in calls),
        "calls": len(calls),
        "files": len({call.callee.file for call in calls}),
    }


async def followed(backends: Sequence[str]) -> dict[str, list[list[Call]]]:
    """Return the calls of several warm Bell jobs by backend."""
    recorder = Recorder()
    jobs: dict[str, list[list[Call]]] = {}
    async with _serving() as run:
        for backend in backends:
            for _ in range(WARM_UP):
                await run(backend)
            jobs[backend] = []
            for _ in range(JOBS):
                await asyncio.sleep(SETTLE_SECONDS)
                recorder.on = True
                await run(backend)
                await asyncio.sleep(SETTLE_SECONDS)
                recorder.on = False
                jobs[backend].append(recorder.calls)
                recorder.calls = []
    return jobs


@asynccontextmanager
async def _serving() -> AsyncGenerator[Callable[[str], asyncio.Task[None]]]:
    """Start a server in this process; yield a function that runs a Bell job on a backend."""
    with tempfile.TemporaryDirectory(prefix="quantcloud-hops-") as folder:
        settings = Settings(
            data_dir=Path(folder), grpc_port=0, envoy=False, workers=2, router_calibrate=False,
            jwt_secret=_SECRET, lease_seconds=600, heartbeat_seconds=300, lease_check_seconds=300,
            tiers={"explorer": {"requests_per_minute": 10_000}},
        )  # fmt: skip
        claims = {"sub": "ada", "aud": "authenticated", "exp": int(time.time()) + 3600}
        metadata = (("authorization", f"Bearer {jwt.encode(claims, _SECRET, 'HS256')}"),)
        application = Application(settings)
        endpoints = await application.start()
        try:
            async with grpc.aio.insecure_channel(endpoints.grpc) as channel:
                stub = circuit_pb2_grpc.CircuitServiceStub(channel)

                async def run(backend: str) -> None:
                    request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend=backend, shots=SHOTS)
                    call = stub.RunAndWatch(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
                    *_, last = [event async for event in call]
                    if sum(last.result.counts.values()) != SHOTS:
                        raise AssertionError(last)

                yield lambda backend: asyncio.ensure_future(run(backend))
        finally:
            await application.stop(0.0)


def described(backend: str, jobs: Sequence[Sequence[Call]]) -> str:
    """Return the figures of a backend's jobs, and where the middle one crossed rooms."""
    figures = [counted(job) for job in jobs]
    lines = [f"{backend}: medians of {len(jobs)} jobs"]
    for name in figures[0]:
        values = [each[name] for each in figures]
        median = statistics.median_low(values)
        line = f"  {name:<14} {median:5}  [{min(values)}, {max(values)}]"
        if (target := BUDGETS.get(name)) is not None:
            line += f"   target {target}: {'holds' if target.holds(median) else 'MISSED'}"
        lines.append(line)
    middle = sorted(jobs, key=len)[len(jobs) // 2]
    hops = Counter(call.hop for call in middle if call.hop is not None)
    lines += [f"    {number:3} {here} -> {there}" for (here, there), number in hops.most_common()]
    nested = Counter(str(call) for call in middle if call.is_nested and not call.is_after_commit)
    lines += [f"    {number:3} callback {chain}" for chain, number in nested.most_common()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the calls between rooms of a Bell job.")
    parser.add_argument("--backend", nargs="*", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--json", action="store_true", help="print each job's figures as JSON")
    parser.add_argument("--calls", action="store_true", help="print each call of a job in order")
    given = parser.parse_args()
    jobs = asyncio.run(followed(given.backend))
    if given.json:
        figures = {name: [counted(job) for job in each] for name, each in jobs.items()}
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for backend, each in jobs.items():
        sys.stdout.write(described(backend, each) + "\n")
        if given.calls:
            sys.stdout.writelines(f"{call}\n" for call in each[-1])


if __name__ == "__main__":
    main()
