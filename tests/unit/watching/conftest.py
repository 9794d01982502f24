from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.storage import Store
from unit.watching.world import ADA, BOB, World, now


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(tmp_path / "quantcloud.db")
    for account in (ADA, BOB):
        await store.accounts.ensure(account, email=None, name=None, at=now())
    yield World(store)
    await store.close()
