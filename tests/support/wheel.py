"""Builds the project's wheel, and installs it into environments as users do."""

import os
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LIBRARIES = Path(sysconfig.get_path("purelib"))


def build(folder: Path) -> Path:
    """Build the wheel of the source tree, without a network."""
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """A Python environment with the wheel; `site_packages` is its library folder."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._bin = folder / "bin"
        venv.create(folder, symlinks=True)
        paths = {"base": str(folder), "platbase": str(folder)}
        self.site_packages = Path(sysconfig.get_path("purelib", "venv", paths))
        _run(sys.executable, "-m", "pip", "--python", str(self._bin / "python"), "install",
             "--quiet", "--no-deps", "--no-index", str(wheel))  # fmt: skip

    def quantcloud(self, *arguments: str) -> list[str]:
        """Return the argument vector of the installed command."""
        return [str(self._bin / "quantcloud"), *arguments]

    def python(self, program: str) -> str:
        """Return what a program prints."""
        return _run(str(self._bin / "python"), "-I", "-c", program)


def link_requirements(name: str, folder: Path) -> set[str]:
    """Link the requirements of a distribution, without extras; return their names."""
    found: set[str] = set()
    todo = _required(name)
    while todo:
        if (each := todo.pop()) in found:
            continue
        found.add(each)
        todo |= _required(each)
        for file in metadata.files(each) or ():
            target = folder / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not target.exists():
                target.symlink_to(LIBRARIES / file.parts[0])
    return found


def _required(name: str) -> set[str]:
    requirements = map(Requirement, metadata.requires(name) or ())
    return {
        each.name.lower()
        for each in requirements
        if each.marker is None or each.marker.evaluate({"extra": ""})
    }


def _run(*command: str) -> str:
    environment = {"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/",
                          env=environment)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
