"""wrk, an HTTP client in C, so that the client takes little of the machine."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

_SCRIPT = Path(__file__).with_suffix(".lua")


class Load(NamedTuple):
    """What wrk measured."""

    rate: float
    """Responses per second."""
    p50: float
    """The median time of a response, in milliseconds."""


def is_installed() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


async def load(url: str, content: Any, token: str, *, connections: int, seconds: int) -> Load:
    """Post JSON again and again. Raises `AssertionError` if a response is no success."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"),
        f"--script={_SCRIPT}", url, "--", json.dumps(content), token,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    report = json.loads(output.decode().strip().rpartition("\n")[2])
    if report["failed"] or not report["requests"]:
        raise AssertionError(f"wrk at {url}: {report}")
    return Load(report["requests"] / report["seconds"], report["p50"])
