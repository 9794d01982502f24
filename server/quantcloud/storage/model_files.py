"""The cost model's files: two JSON files in the data folder that only their owner can read."""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from quantcloud.routing.cost_model import Calibration, CostModel
from quantcloud.routing.model_file import (
    UnusableError,
    calibration_document,
    learnt_document,
    read_calibration,
    read_learnt,
)

CALIBRATION_FILE = "calibration.json"
LEARNT_FILE = "learnt.json"
_CPU_INFO = Path("/proc/cpuinfo")
_MAX_CHARACTERS = 1 << 20

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


def machine() -> str:
    """Describe what measured times depend on: architecture and processor."""
    processor = platform.processor()
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            processor = value.strip()
            break
    return f"{platform.machine()} {processor}".strip()


class ModelFiles:
    """The files of one server. `calibration` overrides the path of the calibration file."""

    def __init__(self, data_dir: Path, calibration: Path | None = None) -> None:
        self._calibration = calibration or data_dir / CALIBRATION_FILE
        self._learnt = data_dir / LEARNT_FILE
        self._stamp: tuple[int, int] | None = None

    def load(self) -> CostModel:
        """Return the stored model; a file that cannot be used is logged and ignored."""
        model = CostModel(self.reload())
        _read(self._learnt, lambda document: read_learnt(document, model))
        return model

    def reload(self) -> Calibration | None:
        """Return the calibration in its file; None if there is none for this machine."""
        self._stamp = self._stamp_now()
        return _read(self._calibration, lambda document: read_calibration(document, machine()))

    @property
    def has_changed(self) -> bool:
        """Whether the calibration file was written since it was read."""
        return self._stamp_now() != self._stamp

    def save_calibration(self, calibration: Calibration) -> Path:
        """Replace the calibration file atomically. Raises `OSError`."""
        _write(self._calibration, calibration_document(calibration))
        return self._calibration

    def save_learnt(self, model: CostModel) -> None:
        """Replace the file of the learnt model atomically. Raises `OSError`."""
        _write(self._learnt, learnt_document(model))

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._calibration.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _read(path: Path, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """Return what `read` makes of a file; None if it is missing or cannot be used."""
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_MAX_CHARACTERS))
        if isinstance(document, dict):
            return read(cast("dict[str, Any]", document))
        error: Exception = UnusableError("it is not a JSON object")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as caught:
        error = caught
    log.warning("a file of the cost model is ignored", path=str(path), error=str(error))
    return None


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
