"""Coverage-guided fuzzing of the parser: `python tests/unit/openqasm/fuzz_parser.py -help=1`.

Each text must parse to a circuit that can be analysed and expanded, or raise a `CircuitError` with
a position in the text. Everything else is a finding, and so is a text that takes longer than
libFuzzer's `-timeout` (seconds). libFuzzer saves findings to files; pass a file to run it again.
"""

import sys

import atheris

with atheris.instrument_imports(include=["quantcloud.circuits", "quantcloud.openqasm"]):
    from quantcloud.circuits import analyse, expanded, with_measurements
    from quantcloud.circuits.ir import CONTROL
    from quantcloud.openqasm import parse, work_bound

from quantcloud.domain.errors import CircuitError


def check(data: bytes) -> None:
    """Parse libFuzzer's input; bytes that are not UTF-8 become lone surrogates."""
    source = data.decode("utf-8", "surrogateescape")
    try:
        circuit = parse(source)
    except CircuitError as error:
        lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert 1 <= error.line <= len(lines), error
        assert 1 <= error.column <= len(lines[error.line - 1]) + 2, error
        assert error.message.isascii(), error
        assert len(error.message) < 1000, error
        return
    analysis = analyse(circuit)
    assert analysis.num_qubits == circuit.num_qubits > 0
    measured = with_measurements(circuit)
    operations = expanded(measured).operations
    assert analysis.operation_count == sum(
        each.name not in ("barrier", *CONTROL) for each in operations
    )
    assert len(circuit.operations) <= work_bound(source)
    assert analysis.circuit_depth <= analysis.gate_count


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
