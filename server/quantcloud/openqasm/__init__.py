"""Parses and checks OpenQASM, and lowers circuits to fewer gates. Pure, and fast to import."""

from quantcloud.openqasm.lowering import lowered
from quantcloud.openqasm.source import examine, parse, work_bound

__all__ = ["examine", "lowered", "parse", "work_bound"]
