"""The texts of a drawing: names of gates, angles and bits, each of bounded length."""

import math
from collections.abc import Sequence
from typing import Final

_LONGEST_NAME: Final = 14
_MOST_ANGLES: Final = 4
_DENOMINATORS: Final = (1, 2, 3, 4, 6, 8, 16, 32)
_TOLERANCE: Final = 1e-9
_NAMES: Final = {
    "id": "I", "sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "rx": "Rx", "ry": "Ry",
    "rz": "Rz", "rxx": "Rxx", "ryy": "Ryy", "rzz": "Rzz", "rzx": "Rzx", "u0": "U0", "u1": "U1",
    "u2": "U2", "u3": "U3", "reset": "|0⟩", "iswap": "iSwap", "dcx": "DCX", "ecr": "ECR",
    "csx": "√X", "ch": "H", "cs": "S", "csdg": "S†", "cy": "Y", "cp": "P", "cu1": "P",
    "cu": "U", "cu3": "U", "crx": "Rx", "cry": "Ry", "crz": "Rz", "c3sqrtx": "√X",
}  # fmt: skip


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """Return a name that has at most `longest` characters, all printable."""
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"


def gate_label(name: str, params: Sequence[float], *, standard: bool) -> str:
    """Return the text in a gate's box."""
    shown = _NAMES.get(name) if standard else None
    if shown is None:
        shown = name.upper() if standard and len(name) == 1 else shortened(name)
    if not params:
        return shown
    angles = [angle(value) for value in params[:_MOST_ANGLES]]
    if len(params) > _MOST_ANGLES:
        angles.append("…")
    return f"{shown}({', '.join(angles)})"


def angle(value: float) -> str:
    """Return an angle in radians as a fraction of π if it is one, or with three digits."""
    if math.isnan(value):  # it depends on an input
        return "θ"
    if value == 0:
        return "0"
    for denominator in _DENOMINATORS:
        numerator = value / math.pi * denominator
        whole = round(numerator)
        if whole and abs(whole) <= 2 * denominator and abs(numerator - whole) < _TOLERANCE:
            sign = "-" if whole < 0 else ""
            factor = "" if abs(whole) == 1 else str(abs(whole))
            return f"{sign}{factor}π" + (f"/{denominator}" if denominator > 1 else "")
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return the text in the box of a delay."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
