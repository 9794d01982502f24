"""Random sweeps, and their results by dense matrices without code of the backends."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quantcloud.circuits import expanded, with_measurements
from quantcloud.circuits.binding import bound
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, RunOptions
from quantcloud.domain.sweep import Observable, Parameter, PointBlock, Sweep, Term
from quantcloud.openqasm import parse
from unit.backends.exact import density_matrix, embedded, gate_matrix

_MATRICES = {
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
    "0": np.diag([1, 0]),
    "1": np.diag([0, 1]),
}
# The central difference of order six, whose error is about 1e-13 at this step.
_STEP = 1e-3
_STENCIL = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}


@dataclass
class Problem:
    """A circuit, the values of its inputs (points x width) and observables."""

    source: str
    circuit: Circuit
    values: np.ndarray
    observables: tuple[Observable, ...]

    def sweep(self, **fields) -> Sweep:
        """Return a sweep over all points; the parameters are not in the order of the inputs."""
        parameters, start = [], 0
        for each in self.circuit.inputs:
            part = np.ascontiguousarray(self.values[:, start : start + each.size])
            parameters.append(Parameter(each.name, each.size, part.astype("<f8").tobytes()))
            start += each.size
        number = len(self.values)
        fields = {"points": number, "last": number, **fields}
        return Sweep(parameters=tuple(reversed(parameters)), **fields)

    @property
    def order(self) -> list[int]:
        """The columns of the values in the order of the sweep's parameters."""
        ends = np.cumsum([each.size for each in self.circuit.inputs])
        sizes = [each.size for each in self.circuit.inputs]
        groups = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return [place for group in reversed(groups) for place in group]

    def run(self, executor, method, shots=100, seed=3, noise=None, **fields) -> PointBlock:
        execution = Execution(
            "job", "backend", method, self.source, shots, seed, RunOptions(noise=noise),
            sweep=self.sweep(**fields),
        )  # fmt: skip
        block = executor.run(self.circuit, execution).block
        assert block is not None
        return block

    def state(self, values: np.ndarray) -> np.ndarray:
        return evolved(bound(self.circuit, values.tolist()))

    def expected(self, noise=None) -> tuple[np.ndarray, np.ndarray]:
        """Return the values and the variances, points x observables."""
        values, variances = [], []
        for row in self.values:
            if noise is None:
                state = self.state(row)
                rho = np.outer(state, state.conj())
            else:
                rho = density_matrix(bound(self.circuit, row.tolist()), noise)
            matrices = [dense(each, self.circuit.num_qubits) for each in self.observables]
            values.append([np.trace(each @ rho).real for each in matrices])
            variances.append([np.trace(each @ each @ rho).real for each in matrices])
        values = np.array(values)
        return values, np.array(variances) - values**2

    def gradients(self, points: int = 1) -> np.ndarray:
        """Return the derivatives of the first points: points x observables x width."""
        result = np.zeros((points, len(self.observables), self.values.shape[1]))
        matrices = [dense(each, self.circuit.num_qubits) for each in self.observables]
        for point in range(points):
            for column in range(self.values.shape[1]):
                for steps, weight in _STENCIL.items():
                    moved = self.values[point].copy()
                    moved[column] += steps * _STEP
                    state = self.state(moved)
                    found = [(state.conj() @ each @ state).real for each in matrices]
                    result[point, :, column] += weight * np.array(found) / _STEP
        return result[:, :, self.order]


_matrix = lru_cache(maxsize=4096)(gate_matrix)


def evolved(circuit: Circuit) -> np.ndarray:
    """Return the amplitudes after all gates; measurements are skipped."""
    width = circuit.num_qubits
    state = np.zeros((2,) * width, dtype=complex)
    state[(0,) * width] = 1
    for name, qubits, params, _, _ in circuit.operations:
        if name != "measure":
            # The highest qubit is the first axis, of the state and of a matrix.
            axes = [width - 1 - qubit for qubit in reversed(qubits)]
            matrix = _matrix(name, params).reshape((2,) * (2 * len(qubits)))
            state = np.tensordot(matrix, state, (range(len(qubits), 2 * len(qubits)), axes))
            state = np.moveaxis(state, range(len(qubits)), axes)
    return state.ravel()


def dense(observable: Observable, num_qubits: int) -> np.ndarray:
    """Return the matrix of an observable."""
    size = 1 << num_qubits
    total = np.zeros((size, size), dtype=complex)
    for term in observable.terms:
        product = np.eye(size, dtype=complex) * term.coefficient
        for qubit, letter in term.factors:
            product = product @ embedded(_MATRICES[letter], (qubit,), num_qubits)
        total += product
    return total


def array(data: bytes | None, *shape: int) -> np.ndarray:
    assert data is not None
    return np.frombuffer(data, "<f8").reshape(shape or (-1,))


def problem(
    seed: int, *, num_qubits: int, gates: int = 20, points: int = 3, names=None, observables=2
) -> Problem:
    """Return a random circuit of all gates, or of those with `names`."""
    rng = np.random.default_rng(seed)
    names = sorted(STANDARD_GATES) if names is None else names
    lines = [
        "OPENQASM 3.0;",
        f"input array[float[64], {num_qubits}] w; input float t; input angle s;",
        f"qubit[{num_qubits}] q;",
    ]

    def angle() -> str:
        place = rng.integers(num_qubits)
        return [
            f"w[{place}]", f"2*w[{place}] - 0.3", f"-t/{1 + rng.random():.3f}", "sin(s)*t",
            f"w[{place}]**2 + exp(-t)", f"{rng.normal():.4f}", "1/(3 + cos(s))",
        ][rng.integers(7)]  # fmt: skip

    lines += [f"ry({angle()}) q[{qubit}];" for qubit in range(num_qubits)]
    while len(lines) < gates:
        name = names[rng.integers(len(names))]
        gate = STANDARD_GATES[name]
        if gate.num_qubits > num_qubits:
            continue
        on = ", ".join([f"q[{q}]" for q in rng.permutation(num_qubits)[: gate.num_qubits]])
        by = f"({', '.join([angle() for _ in range(gate.num_params)])})" if gate.num_params else ""
        lines.append(f"{name}{by} {on};")
    source = "\n".join(lines)
    circuit = read(source)
    values = rng.uniform(-2, 2, (points, num_qubits + 2))
    found = [random_observable(rng, num_qubits) for _ in range(observables)]
    return Problem(source, circuit, values, tuple(found))


def read(source: str) -> Circuit:
    """Parse a circuit into the form that executors take."""
    return expanded(with_measurements(parse(source)))


def random_observable(rng: np.random.Generator, num_qubits: int, terms: int = 5) -> Observable:
    found: list[Term] = []
    for _ in range(terms):
        qubits = sorted(rng.permutation(num_qubits)[: rng.integers(num_qubits + 1)].tolist())
        letters = rng.choice(list("XYZXYZ01"), len(qubits)).tolist()
        found.append(Term(float(rng.normal()), tuple(zip(qubits, letters, strict=True))))
    return Observable(tuple(found))
