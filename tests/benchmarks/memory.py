"""The memory of processes as PSS of proc(5), which divides shared pages between processes."""

from contextlib import suppress
from pathlib import Path


def mebibytes(pid: int) -> float:
    """Return the memory of a process in MiB. Raises `OSError` if it has ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


def with_descendants(pid: int) -> dict[int, float]:
    """Return the memory of a process and its descendants in MiB, by process id."""
    found = {pid: mebibytes(pid)}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            # A process may have ended meanwhile.
            with suppress(OSError):
                found |= with_descendants(int(child))
    return found
