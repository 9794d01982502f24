"""The words of OpenQASM 3, and errors for the parts of the language that are refused."""

import math
from collections.abc import Mapping
from typing import Final

from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import Lexer

CONSTANTS: Final[Mapping[str, float]] = {
    "pi": math.pi,
    "tau": math.tau,
    "euler": math.e,
    "\u03c0": math.pi,
    "\u03c4": math.tau,
    "\u2107": math.e,
}
SCALARS: Final = words("bit bool int uint float angle duration")
"""The types of variables and constants."""

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "complex": ("complex numbers", "write the real angles of the gates"),
    "array": ("arrays", "use a 'bit[n]' register, or one variable for each element"),
    "stretch": ("stretchable durations ('stretch')", "write a duration such as 100ns"),
    "durationof": ("'durationof'", "write a duration such as 100ns"),
    "output": ("'output' declarations", "declare 'bit' registers, which are the result"),
    "extern": ("external functions ('extern')", "write a subroutine ('def')"),
    "cal": ("pulse-level blocks ('cal')", "use gates"),
    "defcal": ("pulse-level definitions ('defcal')", "use gates"),
    "defcalgrammar": ("pulse-level definitions ('defcalgrammar')", "use gates"),
    "box": ("'box' blocks", "write the statements without the box"),
    "nop": ("'nop' instructions", "leave it out"),
    "pragma": ("pragmas", "leave it out"),
    "mutable": ("references to arrays ('mutable')", "pass the elements"),
    "readonly": ("references to arrays ('readonly')", "pass the elements"),
    "sizeof": ("'sizeof'", "write the number"),
}
MODIFIERS: Final = frozenset({"ctrl", "negctrl", "inv", "pow"})
RESERVED: Final = (
    words(
        "OPENQASM include qreg creg gate opaque measure reset barrier if U CX const let for in "
        "while switch case default break continue end def return delay input else qubit void "
        "gphase true false sin cos tan exp ln sqrt asin acos atan arcsin arccos arctan log "
        "ceiling floor mod popcount rotl rotr"
    )
    | SCALARS
    | REFUSED.keys()
    | MODIFIERS
    | CONSTANTS.keys()
)


def refusal(lexer: Lexer, what: str, hint: str, start: int | None = None) -> CircuitError:
    """Make the error for a part of the language that is not supported."""
    return lexer.error(f"OpenQASM 3 {what} are not supported here; {hint}", start)


def refused(lexer: Lexer, word: str) -> CircuitError:
    """Make the error for a statement that begins with a word of `REFUSED`."""
    what, hint = REFUSED[word]
    return refusal(lexer, what, hint)
