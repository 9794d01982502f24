"""Which tapes the device accepts, and how PennyLane turns others into them."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pennylane as qml
from pennylane import measurements as mps
from pennylane.devices import preprocess
from pennylane.exceptions import DeviceError
from pennylane.io.to_openqasm import OPENQASM_GATES
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript
from pennylane.transforms import broadcast_expand, split_non_commuting

_DIFFERENTIABLE_WIRES: Final = 2
# Their module has no types.
_unwrap: Any = getattr(qml.math, "unwrap")  # noqa: B009
_requires_grad: Any = getattr(qml.math, "requires_grad")  # noqa: B009
GATES: Final = {
    **OPENQASM_GATES, "Barrier": "barrier", "SX": "sx", "Adjoint(SX)": "sxdg", "CY": "cy",
    "CH": "ch", "ISWAP": "iswap", "ECR": "ecr", "CCZ": "ccz", "ControlledPhaseShift": "cp",
    "IsingXX": "rxx", "IsingYY": "ryy", "IsingZZ": "rzz",
}  # fmt: skip
"""The server's names of PennyLane's operations."""
MOMENTS: Final = {mps.ExpectationMP: "values", mps.VarianceMP: "variances"}


def pipeline(name: str, wires: Any, mcm: Any) -> Any:
    """Return the transforms to tapes that are one circuit each."""
    splits = [qml.defer_measurements(allow_postselect=False), _split]
    if mcm.mcm_method == "one-shot":
        splits = [_split, qml.dynamic_one_shot(postselect_mode=mcm.postselect_mode)]
    decompose = _decompose(
        stopping_condition=_is_known, target_gates={*GATES}, decomposer=_decomposition,
        skip_initial_state_prep=False, device_wires=wires, name=name,
    )  # fmt: skip
    return qml.CompilePipeline(
        _own_wires(wires=wires, name=name),
        *splits,
        decompose,
        preprocess.validate_measurements(name=name),
        broadcast_expand,
    )


def computed(measurement: Any) -> str:
    """Return what the server computes for a measurement without shots, as an argument of a run."""
    if type(measurement) in MOMENTS and measurement.obs is not None:
        return "observables"
    if isinstance(measurement, (*MOMENTS, mps.ProbabilityMP)):
        return "probabilities"
    return "statevector"


def nested(items: Iterable[Any]) -> Any:
    """Return several items as a tuple, and one by itself, as PennyLane has results."""
    several = tuple(items)
    return several[0] if len(several) == 1 else several


@qml.transform
def _own_wires(tape: QuantumScript, wires: Any, name: str) -> Any:
    """Give the measurements of all wires their wires, before a later step reorders them."""
    return preprocess.validate_device_wires(tape, wires=wires or tape.wires, name=name)


@qml.transform
def _decompose(tape: QuantumScript, **options: Any) -> Any:
    decompose: Any = preprocess.decompose
    try:
        return decompose(tape, **options)
    except (ValueError, TypeError, IndexError):
        if tape.batch_size is None:
            raise
    # PennyLane can decompose some gates at one point only.
    expanded: Any = broadcast_expand(tape)
    return [decompose(each, **options)[0][0] for each in expanded[0]], expanded[1]


@qml.transform
def _split(tape: QuantumScript) -> Any:
    """Split a tape so that the measurements of each need the same, in the basis where it ends."""
    if tape.shots:
        commuting: Any = split_non_commuting(tape)
        return [_rotated(each) for each in commuting[0]], commuting[1]
    measurements: Any = tape.measurements
    exact = [each for each in measurements if computed(each) == "observables"]
    others = [each for each in measurements if computed(each) != "observables"]
    if not others:
        return (tape,), preprocess.null_postprocessing

    def join(results: Sequence[Any]) -> Any:
        values = iter(results[0] if len(exact) > 1 else results)
        rest = iter(results[-len(others) :])
        return nested(next(values if each in exact else rest) for each in measurements)

    tapes = [_rotated(tape.copy(measurements=[each])) for each in others]
    return [tape.copy(measurements=exact), *tapes] if exact else tapes, join


def _rotated(tape: QuantumScript) -> QuantumScript:
    return tape.copy(operations=[*tape.operations, *tape.diagonalizing_gates])


def _is_known(operation: Any) -> bool:
    if isinstance(operation, Conditional):
        return _is_known(operation.base)
    return operation.name in GATES or isinstance(operation, MidMeasure)


def _decomposition(operation: Any) -> list[Any]:
    """Return the gates of an operation, from its matrix if it has no decomposition."""
    if isinstance(operation, Conditional):
        return [Conditional(operation.meas_val, each) for each in _decomposition(operation.base)]
    if not operation.has_decomposition and operation.has_matrix:
        matrix = operation.matrix()
        (values,) = map(np.asarray, _unwrap([matrix]))
        if not np.allclose(values @ values.conj().swapaxes(-1, -2), np.eye(values.shape[-1])):
            raise DeviceError(f"{operation} is not unitary, so it is no gate")
        if len(operation.wires) > _DIFFERENTIABLE_WIRES and _requires_grad(matrix):
            raise DeviceError(
                f"{operation.name} has but a matrix, which PennyLane cannot differentiate on "
                f"{len(operation.wires)} wires: write it as gates, or make its parameters constant"
            )
        operation = qml.QubitUnitary(matrix, wires=operation.wires)
    return operation.decomposition()
