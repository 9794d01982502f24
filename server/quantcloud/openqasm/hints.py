"""Hints in error messages at what the user probably meant."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from quantcloud.openqasm.lexer import shown


def words(text: str) -> frozenset[str]:
    """Split a text into words."""
    return frozenset(text.split())


# Names of gates in other languages and libraries.
FOREIGN_GATE_NAMES: Final = {
    "cnot": "cx",
    "not": "x",
    "toffoli": "ccx",
    "ccnot": "ccx",
    "fredkin": "cswap",
    "hadamard": "h",
    "i": "id",
    "identity": "id",
    "phase": "p",
    "cphase": "cp",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
    "v": "sx",
    "vdg": "sxdg",
}

OPENQASM_3_WORDS: Final = words(
    "qubit bit const let input output for while switch def defcal cal box extern delay gphase "
    "int uint float angle bool complex array duration stretch ctrl negctrl inv pow else"
)

_LONGEST_NAME: Final = 40
_MOST_NAMES: Final = 2_000
_MOST_SHOWN: Final = 8


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most similar to a misspelt one, if any."""
    # It is slow to import, and only errors need it.
    import difflib  # noqa: PLC0415

    candidates = [name for name in islice(known, _MOST_NAMES) if len(name) <= _LONGEST_NAME]
    matches = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), candidates, n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def quantity(number: int, noun: str) -> str:
    """Return `1 qubit`, `2 qubits`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def not_defined(name: str, known: Iterable[str]) -> str:
    """Return the message for a name in an expression, with the first ones that are known there."""
    names = ", ".join(shown(each)[1:-1] for each in islice(known, _MOST_SHOWN))
    return f"{shown(name)} is not defined here; known are {names}"


def out_of_range(index: object, name: str, size: int, noun: str, kind: str = "register") -> str:
    """Return the message for an index of a register, or of another kind of thing."""
    clipped = shown(name)[1:-1]
    last = f", {clipped}[0] to {clipped}[{size - 1}]" if size else ""
    return f"index {index} is out of range: {kind} {shown(name)} has {quantity(size, noun)}{last}"
