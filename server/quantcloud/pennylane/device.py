"""The device `quantcloud.qubit`."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import measurements as mps
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.devices.preprocess import (
    decompose,
    validate_device_wires,
    validate_measurements,
)
from pennylane.exceptions import DeviceError
from pennylane.tape import QuantumScript
from pennylane.transforms import (
    broadcast_expand,
    defer_measurements,
    split_non_commuting,
)

from quantcloud.client import Client
from quantcloud.pennylane.circuits import Template, is_known, names, terms
from quantcloud.pennylane.jobs import Jobs, Point

_NAME = "quantcloud.qubit"
_DERIVATIVES = frozenset({"device", "best"})
Read = Callable[[Sequence[Point]], Any]
"""Reads a result from what the circuits of a batch have."""


@simulator_tracking
@single_tape_support
class QuantCloudDevice(Device):
    """The backends of a TheQuantCloud server as a device.

    `wires` are as in every device. Without `backend`, the server chooses. `fields` are arguments of
    each run, as `quantcloud.Client.run` has them, such as `seed`, `noise` and `optimize_for`. Server
    and token are those of `client`, or are found as `quantcloud.Client` finds them. Raises
    `NotConfigured`; a method that runs circuits raises `quantcloud.client.QuantCloudError`.
    """

    def __init__(
        self,
        wires: Any = None,
        shots: Any = None,
        *,
        client: Client | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        self._client = client or Client()
        self._fields = fields

    @property
    def name(self) -> str:
        return _NAME

    def supports_derivatives(
        self,
        execution_config: ExecutionConfig | None = None,
        circuit: QuantumScript | None = None,
    ) -> bool:
        """Return whether the server computes the derivatives: of exact expectation values."""
        if execution_config is not None and execution_config.gradient_method not in _DERIVATIVES:
            return False
        if circuit is None:
            return True
        return (
            not circuit.shots
            and all(isinstance(each, mps.ExpectationMP) for each in circuit.measurements)
            and not any(qml.math.requires_grad(each) for each in _observables_data(circuit))
        )

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        config = config or ExecutionConfig()
        method = config.mcm_config.mcm_method
        if method not in {None, "deferred"}:
            raise DeviceError(f"mcm_method={method!r} is not possible on {_NAME}; use 'deferred'")
        updated: dict[str, Any] = {
            "mcm_config": replace(config.mcm_config, mcm_method="deferred"),
            "use_device_jacobian_product": False,
        }
        if config.gradient_method in _DERIVATIVES:
            updated |= {"gradient_method": "device", "use_device_gradient": True}
            if config.grad_on_execution is None:
                updated["grad_on_execution"] = True
        return replace(config, **updated)

    def preprocess_transforms(self, execution_config: ExecutionConfig | None = None) -> Any:
        pipeline = qml.CompilePipeline()
        pipeline.add_transform(validate_device_wires, self.wires, name=_NAME)
        pipeline.add_transform(defer_measurements, allow_postselect=False)
        pipeline.add_transform(_split_sampled)
        pipeline.add_transform(_rotate)
        pipeline.add_transform(
            decompose,
            stopping_condition=is_known,
            target_gates={*names()},
            decomposer=_decomposition,
            skip_initial_state_prep=False,
            device_wires=self.wires,
            name=_NAME,
        )
        pipeline.add_transform(
            validate_measurements, analytic_measurements=_is_analytic, name=_NAME
        )
        pipeline.add_transform(broadcast_expand)
        return pipeline

    def execute(self, circuits: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Run a batch of tapes with one submission."""
        return tuple(self._run([self._reader(each) for each in circuits]))

    def compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        return self.execute_and_compute_derivatives(circuits, execution_config)[1]

    def execute_and_compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        """Compute expectation values and their derivatives with one submission."""
        found = self._run([self._derivatives_reader(each) for each in circuits])
        return tuple(each[0] for each in found), tuple(each[1] for each in found)

    def _run(self, readers: Sequence[Callable[[Jobs], Read]]) -> list[Any]:
        jobs = Jobs()
        reads = [reader(jobs) for reader in readers]
        points = jobs.run(self._client, self._fields)
        return [read(points) for read in reads]

    def _standard(self, tape: QuantumScript) -> tuple[QuantumScript, Any]:
        """Return a tape and the order of its wires."""
        if self.wires is not None:
            return tape, self.wires
        tape = tape.map_to_standard_wires()
        return tape, qml.wires.Wires(range(len(tape.wires)))

    def _reader(self, tape: QuantumScript) -> Callable[[Jobs], Read]:
        tape, wires = self._standard(tape)

        def add(jobs: Jobs) -> Read:
            if tape.shots:
                return _add_samples(jobs, tape, wires)
            if any(map(_needs_state, tape.measurements)):
                return _add_state(jobs, tape, wires)
            return _of_all(_add_exact(jobs, tape, wires))

        return add

    def _derivatives_reader(self, tape: QuantumScript) -> Callable[[Jobs], Read]:
        tape, wires = self._standard(tape)
        template = Template(tape.operations, wires)
        inputs = tape.trainable_params
        if any(place >= len(template.angles) for place in inputs):
            raise DeviceError("the server computes no derivatives by coefficients of observables")

        def add(jobs: Jobs) -> Read:
            wanted = [terms(each.obs, wires) for each in tape.measurements]
            number = jobs.add(template, inputs, observables=wanted, gradient=bool(inputs))

            def read(points: Sequence[Point]) -> Any:
                point = points[number]
                values = _nested([*map(np.array, point["values"])])
                rows = [
                    _nested([np.array(row.get(f"p{place}", 0.0)) for place in inputs])
                    for row in point["gradients"] or [{}] * len(wanted)
                ]
                return values, _nested(rows)

            return read

        return add


@qml.transform
def _split_sampled(tape: QuantumScript) -> Any:
    """Split a tape with shots into tapes whose measurements commute wire by wire."""
    if tape.shots:
        return split_non_commuting(tape)
    return (tape,), lambda results: results[0]  # pyright: ignore[reportUnknownLambdaType]


@qml.transform
def _rotate(tape: QuantumScript) -> Any:
    """Append the rotations after which a measurement of the wires of a tape with shots is enough."""
    if tape.shots:
        tape = tape.copy(operations=[*tape.operations, *_rotations(tape.measurements)])
    return (tape,), lambda results: results[0]  # pyright: ignore[reportUnknownLambdaType]


def _rotations(measurements: Sequence[Any]) -> list[Any]:
    """Return the rotations for measurements that commute wire by wire."""
    letters: dict[Any, str] = {}
    gates: list[Any] = []
    for measurement in measurements:
        sentence = None if measurement.obs is None else measurement.obs.pauli_rep
        if sentence is not None and len(sentence) == 1:
            (word,) = sentence
            letters.update(word)
        else:
            gates += measurement.diagonalizing_gates()
    paulis = {"X": qml.X, "Y": qml.Y, "Z": qml.Z}
    return [
        *(
            gate
            for wire, each in letters.items()
            for gate in paulis[each](wire).diagonalizing_gates()
        ),
        *gates,
    ]


def _decomposition(operation: Any) -> list[Any]:
    """Return the gates of an operation, from its matrix if it has no decomposition."""
    if not operation.has_decomposition and operation.has_matrix:
        operation = qml.QubitUnitary(operation.matrix(), wires=operation.wires)
    return operation.decomposition()


def _observables_data(tape: QuantumScript) -> list[Any]:
    return [value for each in tape.observables for value in getattr(each, "data", ())]


def _needs_state(measurement: Any) -> bool:
    return not isinstance(measurement, (mps.ExpectationMP, mps.VarianceMP, mps.ProbabilityMP))


def _is_analytic(measurement: Any) -> bool:
    return isinstance(measurement, mps.StateMeasurement)


def _nested(items: Sequence[Any]) -> Any:
    """Return several items as a tuple, and one by itself, as PennyLane has results."""
    return items[0] if len(items) == 1 else tuple(items)


def _of_all(reads: Sequence[Read]) -> Read:
    return lambda points: _nested([read(points) for read in reads])


def _add_samples(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    measured = qml.wires.Wires.all_wires([each.wires or wires for each in tape.measurements])
    number = jobs.add(
        Template(tape.operations, wires, measured), packed=True, shots=tape.shots.total_shots
    )

    def read(points: Sequence[Point]) -> Any:
        samples = points[number]["samples"].astype(np.int64)
        found = [
            _nested(
                [each.process_samples(samples[first:last], measured) for each in tape.measurements]
            )
            for first, last in tape.shots.bins()
        ]
        return tuple(found) if tape.shots.has_partitioned_shots else found[0]

    return read


def _add_state(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    template = Template(tape.operations, wires)
    number = jobs.add(template, statevector=True, shots=1)

    def read(points: Sequence[Point]) -> Any:
        # The server's first qubit is the least significant, and it leaves global phases out.
        state = points[number]["statevector"].reshape([2] * len(wires)).T.ravel()
        state = state * np.exp(-1j * template.phase)
        return _nested([each.process_state(state, wires) for each in tape.measurements])

    return read


def _add_exact(jobs: Jobs, tape: QuantumScript, wires: Any) -> list[Read]:
    """Add a job for all observables, and one for the probabilities of each set of wires."""
    observed = [each for each in tape.measurements if _has_terms(each)]
    if observed:
        number = jobs.add(
            Template(tape.operations, wires),
            observables=[terms(each.obs, wires) for each in observed],
            variances=any(isinstance(each, mps.VarianceMP) for each in observed),
        )
    reads: list[Read] = []
    for measurement in tape.measurements:
        if _has_terms(measurement):
            name = "variances" if isinstance(measurement, mps.VarianceMP) else "values"
            place = next(at for at, each in enumerate(observed) if each is measurement)
            reads.append(
                lambda points, name=name, place=place: np.array(points[number][name][place])
            )
        else:
            reads.append(_add_probabilities(jobs, tape, wires, measurement))
    return reads


def _has_terms(measurement: Any) -> bool:
    return measurement.obs is not None and not isinstance(measurement, mps.ProbabilityMP)


def _add_probabilities(jobs: Jobs, tape: QuantumScript, wires: Any, measurement: Any) -> Read:
    rotations = QuantumScript(measurement.diagonalizing_gates())
    (rotated,), _ = decompose(
        rotations, stopping_condition=is_known, decomposer=_decomposition, name=_NAME
    )
    measured = measurement.wires or wires
    template = Template([*tape.operations, *rotated.operations], wires, measured)
    number = jobs.add(template, probabilities=True, shots=1)

    def read(points: Sequence[Point]) -> Any:
        probabilities = points[number]["probabilities"]
        if isinstance(measurement, mps.ProbabilityMP):
            return probabilities
        values = np.real(measurement.eigvals())
        mean = probabilities @ values
        if isinstance(measurement, mps.VarianceMP):
            return np.array(probabilities @ values**2 - mean**2)
        return np.array(mean)

    return read
