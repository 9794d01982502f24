import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.storage import Store


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """A migrated database without rows, to copy."""
    path = tmp_path_factory.mktemp("template") / "store.db"

    async def migrate() -> None:
        await (await Store.open(path)).close()

    asyncio.run(migrate())
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "store.db"
    shutil.copy(template, copy)
    return copy


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(path)
    yield opened
    await opened.close()
