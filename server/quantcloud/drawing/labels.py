"""The texts of a drawing: names of gates, angles and bits, each of bounded length."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from quantcloud.circuits.angles import Angle
from quantcloud.domain.sweep import Input

_LONGEST_NAME: Final = 14
_LONGEST_FORMULA: Final = 18
_DEEPEST: Final = 3
_MOST_ANGLES: Final = 4
_DENOMINATORS: Final = (1, 2, 3, 4, 6, 8, 16, 32)
_TOLERANCE: Final = 1e-9
_NAMES: Final = {
    "id": "I", "sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "rx": "Rx", "ry": "Ry",
    "rz": "Rz", "rxx": "Rxx", "ryy": "Ryy", "rzz": "Rzz", "rzx": "Rzx", "u0": "U0", "u1": "U1",
    "u2": "U2", "u3": "U3", "reset": "|0⟩", "iswap": "iSwap", "dcx": "DCX", "ecr": "ECR",
}  # fmt: skip


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """Return a name that has at most `longest` characters, all printable."""
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def gate_label(name: str, params: Sequence[float], *, standard: bool, inputs: Sequence[str]) -> str:
    """Return the text in a gate's box. `inputs` are the names of the circuit's input values."""
    shown = _NAMES.get(name) if standard else None
    if shown is None:
        shown = name.upper() if standard and len(name) == 1 else shortened(name)
    if not params:
        return shown
    angles = [_angle(value, inputs) for value in params[:_MOST_ANGLES]]
    if len(params) > _MOST_ANGLES:
        angles.append("…")
    return f"{shown}({', '.join(angles)})"


def input_names(inputs: Iterable[Input]) -> list[str]:
    """Return the name of each input value, in the order of their places."""
    return [
        f"{each.name}[{i}]" if each.is_array else each.name
        for each in inputs
        for i in range(each.size)
    ]


def _angle(value: float, inputs: Sequence[str]) -> str:
    if not isinstance(value, Angle):
        return angle(value)
    return shortened(_formula(value, inputs, _DEEPEST), _LONGEST_FORMULA)


def _formula(value: float, inputs: Sequence[str], depth: int) -> str:
    """Return a value that depends on inputs as a formula of at most `depth` levels."""
    if not isinstance(value, Angle):
        return angle(value)
    if not value.symbol:
        return inputs[value.place] if value.place < len(inputs) else "θ"
    if not depth:
        return "…"
    parts = [_formula(each, inputs, depth - 1) for each in value.operands]
    if value.symbol == "neg":
        return f"-{parts[0]}"
    if len(parts) == 1:
        return f"{value.symbol}({parts[0]})"
    inner = [
        f"({part})" if isinstance(each, Angle) and each.symbol in ("+", "-") else part
        for part, each in zip(parts, value.operands, strict=True)
    ]
    return value.symbol.replace("*", "·").join(inner)


def angle(value: float) -> str:
    """Return an angle in radians as a fraction of π if it is one, or with three digits."""
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
