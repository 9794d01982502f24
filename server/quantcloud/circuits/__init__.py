"""OpenQASM in: read, checked, analysed. Pure, and quick to import."""

from quantcloud.circuits.analysis import Analysis, analyse
from quantcloud.circuits.expand import expanded, with_measurements
from quantcloud.circuits.ir import Circuit
from quantcloud.circuits.lowering import lowered
from quantcloud.circuits.source import examine, parse, work_bound

__all__ = [
    "Analysis",
    "Circuit",
    "analyse",
    "examine",
    "expanded",
    "lowered",
    "parse",
    "with_measurements",
    "work_bound",
]
