"""Contestants: programs that the service is compared with, each in its own process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from quantcloud.engine.sandbox.confinement import environment

_TESTS = Path(__file__).parents[1]
_LINE_LIMIT = 1 << 24
_PATH = [str(_TESTS), *sys.path]
_OWN = {**os.environ, "PYTHONPATH": os.pathsep.join(_PATH)}


class BrokenContestantError(Exception):
    """The process ended. Its standard error says why."""


class Contestant:
    """One of `contestant.KINDS` in its own process.

    `confined` gives it the environment of the service's workers, in which each library has one
    thread. Otherwise libraries use their default number of threads.
    """

    def __init__(self, kind: str, *, confined: bool = False, **arguments: Any) -> None:
        self._making = json.dumps([kind, arguments])
        self._environment = environment(_PATH, os.environ) if confined else _OWN

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "benchmarks.programs.contestant",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=self._environment, limit=_LINE_LIMIT,
        )  # fmt: skip
        self._write(self._making)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def durations(self, times: int) -> list[float]:
        """Run it `times` times; return the seconds of each run."""
        assert self._process.stdout is not None
        self._write(str(times))
        line = await self._process.stdout.readline()
        if not line:
            raise BrokenContestantError(self._making[:200])
        return json.loads(line)

    async def seconds(self, times: int) -> float:
        """Run it `times` times; return the seconds of all runs."""
        return sum(await self.durations(times))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")


@asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncGenerator[str]:
    """Run a module of the benchmarks as a process; yield its first line.

    The process must end when its standard input ends.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=_OWN,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()
