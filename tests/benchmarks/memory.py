"""The memory of processes: PSS of proc(5), in which pages that several share count in part."""

from contextlib import suppress
from pathlib import Path


def mebibytes(pid: int) -> float:
    """The memory of a process. Raises `OSError` where it has ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


def with_descendants(pid: int) -> dict[int, float]:
    """The memory of a process, of those that it started, of those that these started."""
    found = {pid: mebibytes(pid)}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            # One may have ended since.
            with suppress(OSError):
                found |= with_descendants(int(child))
    return found
