"""The device `quantcloud.qubit`."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import measurements as mps
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.exceptions import DeviceError
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from quantcloud.client import Client, Result
from quantcloud.pennylane.circuits import Circuit
from quantcloud.pennylane.preprocess import pipeline

_NAME = "quantcloud.qubit"
_DERIVATIVES = frozenset({"device", "best", "adjoint"})
# Each tier allows as many points of a job.
_POINTS = 100
_requires_grad: Any = getattr(qml.math, "requires_grad")  # noqa: B009  # its module has no types


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
        self, wires: Any = None, shots: Any = None, *, client: Client | None = None, **fields: Any
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        self._client = client or Client()
        seed = fields.pop("seed", None)
        self._random = None if seed is None else np.random.default_rng(seed)
        self._fields = fields

    @property
    def name(self) -> str:
        return _NAME

    def supports_derivatives(
        self, execution_config: ExecutionConfig | None = None, circuit: Any = None
    ) -> bool:
        """Return whether the server computes the derivatives: of exact expectation values."""
        if execution_config is not None and execution_config.gradient_method not in _DERIVATIVES:
            return False
        if circuit is None:
            return True
        return not circuit.shots and all(
            each.obs is not None
            and not any(map(_requires_grad, each.obs.data))
            and isinstance(each, mps.ExpectationMP)
            for each in circuit.measurements
        )

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        config = config or ExecutionConfig()
        mcm: Any = config.mcm_config
        if mcm.mcm_method not in {None, "deferred", "one-shot"}:
            raise DeviceError(
                f"{_NAME} has no mcm_method={mcm.mcm_method.value!r}; use 'deferred' or 'one-shot'"
            )
        if mcm.postselect_mode == "fill-shots":
            raise DeviceError(f"{_NAME} has no postselect_mode='fill-shots'; use 'hw-like'")
        if config.gradient_method not in _DERIVATIVES:
            return config
        on_execution = config.grad_on_execution is not False
        config = replace(config, use_device_gradient=True, use_device_jacobian_product=False)
        return replace(config, gradient_method="device", grad_on_execution=on_execution)

    def preprocess_transforms(self, execution_config: ExecutionConfig | None = None) -> Any:
        config = execution_config or ExecutionConfig()
        return pipeline(self.name, self.wires, config.mcm_config)

    def execute(self, circuits: Any, execution_config: ExecutionConfig | None = None) -> Any:
        """Run a batch of tapes with one submission."""
        return tuple(each.result() for each in self._run(circuits))

    def compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        return self.execute_and_compute_derivatives(circuits, execution_config)[1]

    def execute_and_compute_derivatives(
        self, circuits: Any, execution_config: ExecutionConfig | None = None
    ) -> Any:
        """Compute expectation values and their derivatives with one submission."""
        done = self._run(circuits, gradient=True)
        return tuple(each.result() for each in done), tuple(each.derivatives() for each in done)

    def _run(self, tapes: Sequence[QuantumScript], **options: Any) -> list[Circuit]:
        """Run tapes. Circuits that differ only in angles are points of one job."""
        wires: Any = self.wires
        if wires is None:
            tapes = [each.map_to_standard_wires() for each in tapes]
        # A deferred measurement has a wire that the device does not have.
        circuits = [
            Circuit(
                each,
                Wires(range(len(each.wires))) if wires is None else wires + each.wires,
                **options,
            )
            for each in tapes
        ]
        alike: dict[Any, list[Circuit]] = defaultdict(list)
        for each in circuits:
            # The server gives no statevector for a circuit with inputs.
            fixed = tuple(each.angles) if "statevector" in each.fields else None
            alike[each.text, tuple(each.inputs), repr(each.fields), fixed].append(each)
        jobs = [
            group[first : first + _POINTS]
            for group in alike.values()
            for first in range(0, len(group), _POINTS)
        ]
        items = [{**self._fields, **_item(job)} for job in jobs]
        if self._random is not None:
            items = [{**each, "seed": int(self._random.integers(1 << 53))} for each in items]
        results = self._client.batch(items).results() if items else []
        for job, result in zip(jobs, results, strict=True):
            for each, point in zip(job, cycle(_points(result))):  # equal ones share exact values
                each.point = point
        return circuits


def _item(circuits: Sequence[Circuit]) -> dict[str, Any]:
    """Return circuits that differ only in angles as an item of `Client.batch`."""
    first = circuits[0]
    rows = np.array([each.angles for each in circuits])
    inputs = {*np.flatnonzero((rows != rows[0]).any(axis=0)).tolist(), *first.inputs}
    parameters = {f"p{place}": rows[:, place] for place in inputs}
    if "packed" in first.fields and len(rows) > 1:
        # Equal circuits have samples of their own.
        parameters["point"] = np.zeros(len(rows))
    angles = [f"p{at}" if at in inputs else repr(angle) for at, angle in enumerate(first.angles)]
    declared = "".join(f"input float[64] {name};\n" for name in parameters)
    text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\n{declared}{first.text.format(*angles)}'
    return {**first.fields, "circuit": text, **({"parameters": parameters} if parameters else {})}


def _points(result: Result) -> list[Mapping[str, Any]]:
    """Return what a job has computed at each of its points."""
    sweep: Any = result.sweep
    if sweep is None:
        return [{"statevector": result.statevector}]
    columns = {
        "values": sweep.expectation_values,
        "variances": sweep.variances,
        "probabilities": sweep.probabilities,
        **sweep.gradients,
    }
    for num_bits, data in sweep.registers.values():
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        bits = bits.reshape(len(sweep), -1, -(-num_bits // 8) * 8)
        columns["samples"] = bits[..., -num_bits:].astype(np.int64)
    columns = {name: rows for name, rows in columns.items() if rows.size}
    return [{name: rows[place] for name, rows in columns.items()} for place in range(len(sweep))]
