"""Circuits of MQT Bench, and wide Clifford circuits, as OpenQASM.

https://github.com/munich-quantum-toolkit/bench
"""

import random
import warnings
from collections.abc import Iterator, Sequence

from benchmarks.workloads import Gate, ghz, measured

# OpenQASM 2 cannot express its condition, the XOR of two bits.
_BEYOND = {"ghz_dynamic"}


def mqt_bench(widths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield each algorithm in each width that it supports: its name with the width, its text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mqt.bench.benchmarks import get_available_benchmark_names  # noqa: PLC0415 - slow

        names = [name for name in get_available_benchmark_names() if name not in _BEYOND]
        for width in widths:
            for name in names:
                text = _text(name, width)
                if text is not None:
                    yield f"{name} {width}", text


def _text(name: str, width: int) -> str | None:
    from mqt.bench import BenchmarkLevel, get_benchmark  # noqa: PLC0415 - slow
    from qiskit import qasm2, qasm3, transpile  # noqa: PLC0415 - slow

    try:
        circuit = get_benchmark(name, level=BenchmarkLevel.INDEP, circuit_size=width)
    except (ValueError, AssertionError):
        return None
    if circuit.has_control_flow_op():
        return qasm3.dumps(circuit)
    try:
        return qasm2.dumps(circuit)
    except (TypeError, qasm2.QASM2ExportError):  # gates that are defined by a matrix
        return qasm2.dumps(transpile(circuit, basis_gates=["u", "cx"]))


def cliffords(widths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield a GHZ state, a ring graph state and ten random layers in each width."""
    for width in widths:
        yield f"clifford ghz {width}", measured(width, ghz(width))
        spread = [Gate("h", (qubit,)) for qubit in range(width)]
        ring = [Gate("cz", (qubit, (qubit + 1) % width)) for qubit in range(width)]
        yield f"clifford graph {width}", measured(width, [*spread, *ring])
        yield f"clifford random {width}", measured(width, _layers(width))


def _layers(width: int) -> list[Gate]:
    rng = random.Random(width)
    gates: list[Gate] = []
    for _ in range(10):
        order = rng.sample(range(width), width)
        gates += [
            Gate(rng.choice(("cx", "cz", "swap")), (first, second))
            for first, second in zip(order[::2], order[1::2], strict=False)
        ]
        gates += [Gate(rng.choice(("h", "s", "x", "sdg")), (qubit,)) for qubit in range(width)]
    return gates
