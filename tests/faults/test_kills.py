"""Whatever is killed under load, every guarantee holds for everything that clients saw.

`SOAK_KILLS` is the total number of kills, and `SOAK_SEED` the seed of the first round. `make soak`
sets them. Each round has its own seed and runs one service of real processes.
"""

import asyncio
import os
from pathlib import Path

import pytest

from support.chaos.clients import TIMEOUT_SECONDS, Clients
from support.chaos.deployments import Chaos, Deployment
from support.chaos.guarantees import violations
from support.chaos.history import History
from support.external.postgres import Postgres, installations

KILLS = int(os.environ.get("SOAK_KILLS", "12"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
_KILLS_PER_ROUND = 20
_USERS = 6
# The most time that a kill may take, in seconds, including the restart of what was killed.
_KILL_SECONDS = 30
_KINDS = ("sqlite", "postgres") if installations() else ("sqlite",)


def rounds() -> list[tuple[str, int, int]]:
    """Return the store, seed and number of kills of each round. Every store gets its share."""
    number = max(len(_KINDS), -(-KILLS // _KILLS_PER_ROUND))
    shares = [KILLS // number + (place < KILLS % number) for place in range(number)]
    return [(_KINDS[place % len(_KINDS)], SEED + place, n) for place, n in enumerate(shares)]


@pytest.mark.parametrize(("kind", "seed", "kills"), rounds())
async def test_nothing_is_lost_whatever_is_killed(tmp_path: Path, kind, seed, kills):
    postgres = None
    if kind == "postgres":
        newest = max(installations())
        postgres = Postgres(installations()[newest], durable=True)
    deployment = Deployment(tmp_path, postgres=postgres, servers=1 if postgres is None else 2)
    history = History()
    with deployment:
        credential = deployment.token()
        clients = Clients(deployment.targets, credential, history, seed)
        working = asyncio.create_task(clients.work(_USERS))
        try:
            async with asyncio.timeout(kills * _KILL_SECONDS):
                await Chaos(deployment, history, seed).kill(kills)
            clients.stop()
            await asyncio.wait([working], timeout=TIMEOUT_SECONDS)
        finally:
            clients.stop()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await clients.read_finals()
        await clients.close()
    print(f"{kind}, seed {seed}: {history.summary()}")  # noqa: T201 (the result of a soak)
    history.dump(tmp_path / "history.json")
    broken = violations(history)
    assert not broken, "\n".join([f"seed {seed}, {tmp_path}/history.json", *broken[:20]])
    # A round without jobs would prove nothing.
    assert len(history.acknowledged) >= kills
    assert any(final.status == "completed" for final in history.finals.values())
