"""Contestants that compute a circuit with parameters at many points, or its derivatives.

The circuit has layers of rotations, one of each of `axes` on each qubit, and a chain of cx.
"""

# ruff: noqa: PLC0415 - a contestant imports what it runs and nothing else

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

Once = Callable[[int], object]


class Load(NamedTuple):
    """A circuit, the number of its points, and the terms of one observable."""

    num_qubits: int
    layers: int
    axes: str
    points: int = 1
    terms: int = 0

    @property
    def width(self) -> int:
        """The number of parameters."""
        return self.num_qubits * self.layers * len(self.axes)

    def gates(self) -> Iterator[tuple[str, tuple[int, ...], int]]:
        """Yield the gates: name, qubits and the place of the parameter."""
        place = 0
        for _ in range(self.layers):
            for axis in self.axes:
                for qubit in range(self.num_qubits):
                    yield f"r{axis}", (qubit,), place
                    place += 1
            for qubit in range(self.num_qubits - 1):
                yield "cx", (qubit, qubit + 1), -1

    def qasm(self, values: Sequence[float] | None = None) -> str:
        """Return the circuit with an input, or with the values of one point."""
        lines = ['OPENQASM 3.0; include "stdgates.inc";', f"qubit[{self.num_qubits}] q;"]
        if values is None:
            lines.append(f"input array[float[64], {self.width}] w;")
        for name, qubits, place in self.gates():
            if place < 0:
                lines.append(f"cx q[{qubits[0]}], q[{qubits[1]}];")
            else:
                angle = f"w[{place}]" if values is None else repr(values[place])
                lines.append(f"{name}({angle}) q[{qubits[0]}];")
        return "\n".join(lines)

    def values(self, seed: int = 5) -> list[list[float]]:
        """Return the values of the parameters at each point."""
        rng = random.Random(seed)
        return [[rng.uniform(-3, 3) for _ in range(self.width)] for _ in range(self.points)]

    def paulis(self) -> list[tuple[float, list[tuple[int, str]]]]:
        """Return the coefficients and the factors of the terms."""
        rng = random.Random(7)
        return [
            (rng.uniform(-1, 1),
             [(q, rng.choice("XYZ")) for q in range(self.num_qubits) if rng.random() < 0.5])
            for _ in range(self.terms)
        ]  # fmt: skip


def executor_sweep(load: Sequence, shots: int, gradient: bool) -> Once:  # noqa: FBT001 - from JSON
    """Run a sweep as a worker of the service does: the circuit is read and compiled once."""
    from array import array

    from quantcloud.backends.base import installed_backends
    from quantcloud.backends.sweeps import circuit_of
    from quantcloud.domain.execution import Execution
    from quantcloud.domain.sweep import Observable, Parameter, Sweep, Term

    given = Load(*load)
    runs, qasm = installed_backends()["local_simulator"].executor(), given.qasm()
    data = array("d", [value for row in given.values() for value in row]).tobytes()
    terms = tuple(Term(weight, tuple(factors)) for weight, factors in given.paulis())
    observables = (Observable(terms),) if terms else ()
    sweep = Sweep(
        given.points, given.points, parameters=(Parameter("w", given.width, data),),
        observables=observables, exact=bool(terms), gradient=gradient,
    )  # fmt: skip

    def once(seed: int) -> object:
        execution = Execution("job", "local_simulator", "batch", qasm, shots, seed, sweep=sweep)
        return runs.run(circuit_of(qasm), execution)

    return once


def aer_binds(load: Sequence, shots: int) -> Once:
    """Run a circuit on Aer with bound parameters, and count."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit_aer import AerSimulator

    given = Load(*load)
    simulator = AerSimulator(max_parallel_threads=1)
    parameters = ParameterVector("w", given.width)
    circuit = QuantumCircuit(given.num_qubits)
    for name, qubits, place in given.gates():
        angles = [parameters[place]] if place >= 0 else []
        getattr(circuit, name)(*angles, *qubits)
    circuit.measure_all()
    columns = zip(*given.values(), strict=True)
    binds = [{p: list(column) for p, column in zip(parameters, columns, strict=True)}]

    def once(seed: int) -> object:
        job = simulator.run(circuit, parameter_binds=binds, shots=shots, seed_simulator=seed)
        return job.result().get_counts()

    return once


def qsim_sweep(load: Sequence, shots: int) -> Once:
    """Run a circuit on qsim with resolved parameters, and count."""
    import cirq
    import sympy
    from qsimcirq import QSimOptions, QSimSimulator

    given = Load(*load)
    line = cirq.LineQubit.range(given.num_qubits)
    circuit = cirq.Circuit()
    for name, qubits, place in given.gates():
        on = [line[qubit] for qubit in qubits]
        gate = getattr(cirq, name)(sympy.Symbol(f"w{place}")) if place >= 0 else cirq.CNOT
        circuit.append(gate(*on))
    circuit.append(cirq.measure(*line, key="c"))
    points = [
        cirq.ParamResolver({f"w{place}": value for place, value in enumerate(row)})
        for row in given.values()
    ]
    simulator = QSimSimulator(QSimOptions(cpu_threads=1), seed=1)

    def once(_: int) -> object:
        found = simulator.run_sweep(circuit, points, repetitions=shots)
        return [each.histogram(key="c") for each in found]

    return once


def qnode(load: Sequence, gradient: bool) -> Once:  # noqa: FBT001 - from JSON
    """Evaluate a QNode on lightning.qubit, and its derivatives by the adjoint method."""
    import pennylane as qml
    from pennylane import numpy

    given = Load(*load)
    kinds = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
    weights = [weight for weight, _ in given.paulis()]
    products = [
        qml.prod(*[kinds[letter](qubit) for qubit, letter in factors])
        if factors
        else qml.Identity(0)
        for _, factors in given.paulis()
    ]
    hamiltonian = qml.Hamiltonian(weights, products)

    @qml.qnode(
        qml.device("lightning.qubit", wires=given.num_qubits),
        diff_method="adjoint" if gradient else "best",
    )
    def energy(values):
        for name, qubits, place in given.gates():
            if place >= 0:
                getattr(qml, name.upper())(values[place], wires=qubits)
            else:
                qml.CNOT(wires=qubits)
        return qml.expval(hamiltonian)

    values = numpy.array(given.values()[0], requires_grad=gradient)

    # The derivative keeps the value of its forward pass.
    call = qml.grad(energy) if gradient else energy

    def once(_: int) -> object:
        return call(values)

    return once
