"""`local_simulator`: statevectors in NumPy, and stabilizer circuits by Stim."""

from collections.abc import Sequence

from quantcloud.backends.local.vectorized.costs import MAX_QUBITS as MAX_VECTORIZED_QUBITS
from quantcloud.backends.local.vectorized.costs import vectorized
from quantcloud.backends.simulation.backend import SimulatorBackend
from quantcloud.backends.simulation.costs import (
    evolution,
    histories,
    predicted,
    waiting_states,
)
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.states import statevector_bytes, tableau_bytes
from quantcloud.domain.execution import INLINE_SECONDS, RunOptions
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size
from quantcloud.routing.work import Coefficients, Work

MAX_STABILIZER_QUBITS = 5_000

_STATEVECTOR = Coefficients(
    start=6e-5, operation=6.5e-6, light=6e-10, dense=3.4e-9, wide=2.5e-9, state=1.3e-8, sample=1e-8
)
_STABILIZER = Coefficients(start=1.2e-4, operation=1.7e-6, state=3e-8, sample=4e-9)

# The bytes for a gate, measured: of NumPy's matrices, and of Stim with its text of the circuit.
_GATE_BYTES, _STABILIZER_GATE_BYTES = 100, 700

# How many seconds, measured, a gate on a small state may take beyond its prediction: a gate on one
# qubit with new angles; one on two qubits with new angles, or that mixes amplitudes for the first
# time; one on more qubits.
_NO_GATES = frozenset({"measure", "barrier"})
_SMALL_GATE = 2
_MIXING = frozenset({"ch", "csx", "ecr"})
_ANGLED_SECONDS, _PAIR_SECONDS, _WIDE_SECONDS = 1e-5, 2.5e-5, 2e-5

# The cost of a shot beyond that of its bits, in bits.
_SHOT_BITS = 32


class LocalBackend(SimulatorBackend):
    """See `base.Backend`."""

    executor_class = "quantcloud.backends.local.executor:LocalExecutor"
    inline = True
    exact_methods = frozenset({"statevector", "stabilizer"})

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        if options.noise is not None:
            return Refusal(
                "local_simulator simulates no noise; aer_simulator and cirq_simulator do"
            )
        methods: list[Method] = []
        if analysis.num_qubits <= self.info.num_qubits:
            methods.append(_statevector(analysis, shots, options))
        if (
            analysis.is_clifford
            and analysis.num_qubits <= MAX_STABILIZER_QUBITS
            and not options.statevector
        ):
            methods.append(_stabilizer(analysis, shots))
        return sorted(methods, key=lambda method: method.seconds) or self._refusal(analysis)

    def sweep_methods(
        self, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep
    ) -> Sequence[Method] | Refusal:
        found = super().sweep_methods(analysis, shots, options, sweep)
        if isinstance(found, Refusal) or analysis.has_mid_circuit:
            return found
        if analysis.num_qubits > MAX_VECTORIZED_QUBITS:
            return found
        return [vectorized(analysis, shots, sweep)]

    def _refusal(self, analysis: Analysis) -> Refusal:
        width = analysis.num_qubits
        need = binary_size(statevector_bytes(width))
        return Refusal(
            f"local_simulator runs up to {self.info.num_qubits} qubits of any circuit (this one "
            f"has {width:,}, a statevector of {need}); beyond that, Clifford circuits up to "
            f"{MAX_STABILIZER_QUBITS:,} qubits, without the statevector option"
        )


def _statevector(analysis: Analysis, shots: int, options: RunOptions) -> Method:
    amplitudes = 1 << analysis.num_qubits
    branches = histories(analysis, shots)
    # The running state has a spare; the weights of a sample or a measurement take two halves.
    states = waiting_states(analysis, shots) + 3
    method = predicted(
        "statevector",
        states * statevector_bytes(analysis.num_qubits),
        _STATEVECTOR,
        evolution(analysis, amplitudes, shots, branches, single_shots=False),
        gates=analysis.operation_count,
        gate_bytes=_GATE_BYTES,
    )
    # One evolution, whose longest time is known, and one draw.
    inline = (
        options.only_counts
        and not analysis.has_mid_circuit
        and method.seconds + _first_seconds(analysis) <= INLINE_SECONDS
    )
    return method._replace(inline=inline)


def _first_seconds(analysis: Analysis) -> float:
    """Return how much longer than predicted the gates may take if none has run before."""
    total = 0.0
    for name, number in analysis.gate_counts.items():
        if name in _NO_GATES:
            continue
        gate = STANDARD_GATES.get(name)
        if gate is None or gate.num_qubits > _SMALL_GATE:
            total += number * _WIDE_SECONDS
        elif gate.num_qubits == 1 and gate.num_params:
            total += number * _ANGLED_SECONDS
        elif gate.num_params or name in _MIXING:
            total += number * _PAIR_SECONDS
    return total


def _stabilizer(analysis: Analysis, shots: int) -> Method:
    counts = analysis.gate_counts
    measurements = counts.get("measure", 0)
    return predicted(
        "stabilizer",
        # Stim keeps a bit for each measurement of each shot, and returns a byte.
        tableau_bytes(analysis.num_qubits)
        + shots * (2 * analysis.num_clbits + measurements + measurements // 8),
        _STABILIZER,
        Work(
            operations=analysis.operation_count,
            # Each measurement or reset reads a row of the tableau.
            state=analysis.num_qubits * (measurements + counts.get("reset", 0)),
            samples=shots * (_SHOT_BITS + measurements),
        ),
        gates=analysis.operation_count,
        gate_bytes=_STABILIZER_GATE_BYTES,
    )


BACKEND = LocalBackend(
    "local_simulator",
    "quantsdk",
    20,
    "NumPy statevector simulator; Clifford circuits of any width by Stim",
    ("numpy", "stim"),
)
