"""OpenQASM in: read, checked, and lowered to fewer gates. Pure, and quick to import."""

from quantcloud.openqasm.lowering import lowered
from quantcloud.openqasm.source import examine, parse, work_bound

__all__ = ["examine", "lowered", "parse", "work_bound"]
