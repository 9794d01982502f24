"""Turns a source in any supported version of OpenQASM into a circuit."""

import re
from typing import Final

from quantcloud.circuits.analysis import Analysis, analyse
from quantcloud.circuits.ir import Circuit
from quantcloud.circuits.limits import MAX_QUBITS
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.shortcuts import version
from quantcloud.openqasm.version3.parser import Parser3

_VERSIONS: Final[dict[str, type[Parser]]] = {
    "2": Parser,
    "2.0": Parser,
    "3": Parser3,
    "3.0": Parser3,
    "3.1": Parser3,
}
# Numbers. Only whole numbers can be sizes; the match of a fraction has more than digits.
_NUMBERS: Final = re.compile(r"\d++(?:\.\d*+|[eE][-+])?+", re.ASCII)
# What may stand for more operations than the numbers in a source say: numbers of another form,
# loops, names and computed sizes. Only version 3 has them.
_BASED: Final = re.compile(r"0[xXoObB]")
_MORE: Final = re.compile(
    r"\b(?:for|while|def|const|let|switch|pow|ctrl|negctrl|inv|u?int|float|angle|bool|delay)\b"
    r"|\[[^\]]*[^\s\d\]]|(?<!\w)\d+_"
)
_MOST_DIGITS: Final = 6

UNBOUNDED: Final = 1 << 62
"""The value of `work_bound` if it finds no bound."""


def parse(source: str) -> Circuit:
    """Parse a circuit in OpenQASM 2.0, 3.0 or 3.1; docs/openqasm.md lists the parts of version 3.

    A source without a version is read as 2.0. No file is read, whatever the source includes.
    Raises `CircuitError` with the line and column of the first error.
    """
    source = source.removeprefix("\ufeff")
    return _parser(source)(source).parse()


def _parser(source: str) -> type[Parser]:
    stated, _ = version(source)
    if stated in _VERSIONS:
        return _VERSIONS[stated]
    lexer = Lexer(source)
    lexer.seek(0)
    if lexer.kind == "end":
        raise lexer.error(
            "the source is empty; a circuit needs at least one qubit, as in 'qreg q[2];'", 0
        )
    if not lexer.accept("OPENQASM"):
        return Parser
    if lexer.kind not in ("int", "real"):
        raise lexer.error(f"expected a version such as 2.0, got {lexer.described()}")
    if lexer.text not in _VERSIONS:
        raise lexer.error(f"OpenQASM {shown(lexer.text)[1:-1]} is not known; 2.0 and 3.0 are")
    return _VERSIONS[lexer.text]


def _is_version_2(source: str) -> bool:
    stated, _ = version(source)
    return stated is not None and stated.startswith("2")


def examine(source: str) -> Analysis:
    """Parse a circuit and analyse it. Raises `CircuitError` as `parse` does."""
    return analyse(parse(source))


def work_bound(source: str) -> int:
    """Return an upper bound of the operations in a source, without parsing it.

    A barrier counts once per qubit. The bound takes microseconds per kilobyte. It tells sources
    that parse quickly from those that may take long, because a few characters can stand for
    millions of operations. Sources with gate definitions get `UNBOUNDED`.
    """
    if "gate" in source or _BASED.search(source):
        return UNBOUNDED
    if not _is_version_2(source) and _MORE.search(source):
        return UNBOUNDED
    numbers = list(filter(str.isdigit, _NUMBERS.findall(source)))
    if max(map(len, numbers), default=0) > _MOST_DIGITS:
        return UNBOUNDED
    largest = max(map(int, numbers), default=0) + 1
    operations = (source.count(";") + 1) * largest
    return operations + source.count("barrier") * min(operations, MAX_QUBITS)
