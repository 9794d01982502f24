"""Turn the text of a program into its circuit."""

import ast
import warnings
from typing import NamedTuple

from quantcloud.quantsdk.expressions import NotUnderstood
from quantcloud.quantsdk.interpreter import Interpreter
from quantcloud.quantsdk.sdk import FirstRun, RunSettings, Session, to_openqasm
from quantcloud.quantsdk.values import Refusal

_MAX_NAME = 200


class Program(NamedTuple):
    """The result of reading a program: its circuit as OpenQASM, and how to run it.

    `name` is the circuit's; `reason` says which of the program's circuits it is, and why.
    """

    qasm: str
    name: str
    reason: str
    settings: RunSettings


def read(source: str) -> Program:
    """Execute a program of the public SDK up to its first `run`. Raises `NotUnderstood`."""
    session = Session()
    interpreter = Interpreter(source, session)
    settings = RunSettings()
    try:
        interpreter.run(_parsed(source))
        circuit = session.last
        reason = "the program runs no circuit; this is the last one that it makes"
    except FirstRun as run:
        circuit, settings = run.circuit, run.settings
        reason = f"the program runs it on line {interpreter.line}; what follows was not read"
    if circuit is None:
        raise NotUnderstood(
            "the program makes no circuit; quantsdk.Circuit(number_of_qubits) makes one", 1, 1
        )
    try:
        qasm = to_openqasm(session, circuit)
    except Refusal as error:
        raise NotUnderstood(str(error), interpreter.line, 1) from None
    name = circuit.name if isinstance(circuit.name, str) else ""
    return Program(qasm, name[:_MAX_NAME], reason, settings)


def _parsed(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except SyntaxError as error:
            line, column = error.lineno or 1, error.offset or 1
            raise NotUnderstood(f"this is not Python: {error.msg}", line, max(1, column)) from None
        except (RecursionError, MemoryError):
            raise NotUnderstood("the program is nested too deeply", 1, 1) from None
        except ValueError as error:
            raise NotUnderstood(f"this is not Python: {error}", 1, 1) from None
