"""What the parts of an interpreter share."""

from typing import NamedTuple

from quantcloud.openqasm.builder import CircuitBuilder
from quantcloud.openqasm.lexer import Lexer
from quantcloud.openqasm.version3.guards import Guards
from quantcloud.openqasm.version3.names import Names


class State(NamedTuple):
    """The source, the circuit so far, the names, and the present condition."""

    lexer: Lexer
    builder: CircuitBuilder
    names: Names
    guards: Guards
