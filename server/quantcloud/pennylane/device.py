"""The device `quantcloud.qubit`."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterator, Sequence
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
from pennylane.wires import Wires

from quantcloud.client import Client
from quantcloud.pennylane.circuits import decomposition, is_known, names
from quantcloud.pennylane.jobs import Jobs
from quantcloud.pennylane.results import Read, add, add_derivatives

_NAME = "quantcloud.qubit"
_requires_grad: Any = getattr(qml.math, "requires_grad")  # noqa: B009  # its module has no types
_DERIVATIVES = frozenset({"device", "best"})


@simulator_tracking
@single_tape_support
class QuantCloudDevice(Device):
    """The backends of a TheQuantCloud server as a device.

    `wires` are as in every device. Without `backend`, the server chooses. `fields` are arguments of
    each run, as `quantcloud.Client.run` has them, such as `seed`, `noise` and `optimize_for`.
    Server and token are those of `client`, or are found as `quantcloud.Client` finds them. Raises
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
        self._seeds = _seeds(fields.pop("seed", None))

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
            and not any(_requires_grad(each) for each in _observables_data(circuit))
        )

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        config = config or ExecutionConfig()
        mcm: Any = config.mcm_config
        if mcm.mcm_method not in {None, "deferred"}:
            raise DeviceError(
                f"mcm_method={mcm.mcm_method!r} is not possible on {_NAME}; use 'deferred'"
            )
        updated: dict[str, Any] = {
            "mcm_config": replace(mcm, mcm_method="deferred"),
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
            decomposer=decomposition,
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
        return tuple(self._run(circuits, add))

    def compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        return self.execute_and_compute_derivatives(circuits, execution_config)[1]

    def execute_and_compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        """Compute expectation values and their derivatives with one submission."""
        found = self._run(circuits, add_derivatives)
        return tuple(each[0] for each in found), tuple(each[1] for each in found)

    def _run(self, circuits: Sequence[QuantumScript], add: Callable[..., Read]) -> list[Any]:
        """Run tapes with one submission. `add` adds the circuits of a tape to the jobs."""
        jobs = Jobs()
        reads = [add(jobs, *self._standard(each)) for each in circuits]
        points = jobs.run(self._client, self._fields, self._seeds)
        return [read(points) for read in reads]

    def _standard(self, tape: QuantumScript) -> tuple[QuantumScript, Any]:
        """Return a tape and the order of its wires."""
        own: Any = self.wires
        if own is not None:
            return tape, own
        tape = tape.map_to_standard_wires()
        return tape, Wires(range(len(tape.wires)))


@qml.transform
def _split_sampled(tape: QuantumScript) -> Any:
    """Split a tape with shots into tapes whose measurements commute wire by wire."""
    if tape.shots:
        return split_non_commuting(tape)
    return (tape,), lambda results: results[0]  # pyright: ignore[reportUnknownLambdaType]


@qml.transform
def _rotate(tape: QuantumScript) -> Any:
    """Append the rotations after which measured wires give all results of a tape with shots."""
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


def _seeds(seed: Any) -> Iterator[int | None]:
    """Yield a seed for each job, or None if the server draws them."""
    random = np.random.default_rng(seed)
    while True:
        yield None if seed is None else int(random.integers(1 << 53))


def _observables_data(tape: QuantumScript) -> list[Any]:
    return [value for each in tape.observables for value in getattr(each, "data", ())]


def _is_analytic(measurement: Any) -> bool:
    return isinstance(measurement, mps.StateMeasurement)
