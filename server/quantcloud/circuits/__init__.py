"""The parsed form of circuits, and their analysis. Pure, and fast to import."""

from quantcloud.circuits.analysis import Analysis, analyse
from quantcloud.circuits.expand import expanded, with_measurements
from quantcloud.circuits.ir import Circuit

__all__ = [
    "Analysis",
    "Circuit",
    "analyse",
    "expanded",
    "with_measurements",
]
