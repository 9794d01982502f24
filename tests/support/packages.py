"""Python packages that are installed for one test."""

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, module: str, source: str, entry_points: Mapping[str, str]) -> None:
    """Make `module` a distribution in `folder` that joins `quantcloud.backends`.

    `entry_points` maps names of backends to their objects, as `module:OBJECT`.
    """
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[quantcloud.backends]", *lines, ""]))
