"""What the control groups of this process let it use: `cgroups(7)`."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = "/proc/self/cgroup"
# Where the groups of version 2 are, and the folders of version 1, one for each controller.
_UNIFIED = _SEPARATE = "/sys/fs/cgroup"


def limits(controller: str, unified: str, separate: str) -> Iterator[Path]:
    """Yield the limit files of this process's group and of all groups around it.

    `unified` and `separate` are a file's names in versions 2 and 1. Some may not exist.
    """
    try:
        lines = Path(_CGROUPS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = Path(_SEPARATE, controller) if controllers else Path(_UNIFIED)
        # A container often sees its own group as the root, whatever path is given here.
        inner = Path(root, group.lstrip("/"))
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(root):
                break
            yield folder / (separate if controllers else unified)


def usable_cores() -> int:
    """Return how many cores this process may use: the machine's, or a container's share of them."""
    cores = len(os.sched_getaffinity(0))
    for path in limits("cpu", "cpu.max", "cpu.cfs_quota_us"):
        try:
            quota, *rest = path.read_text(encoding="ascii").split()
            (period,) = rest or path.with_name("cpu.cfs_period_us").read_text().split()
        except (OSError, ValueError):
            continue
        if quota.isdigit():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)
