"""Installs Python packages for a test."""

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, module: str, source: str, entry_points: Mapping[str, str]) -> None:
    """Install `module` into `folder` as a distribution with entry points of `quantcloud.backends`.

    `entry_points` maps the names of backends to objects, as `module:OBJECT`.
    """
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[quantcloud.backends]", *lines, ""]))
