"""Runs circuits on Aer's bare state, gate by gate.

Aer's controller takes a whole circuit and chooses how to run it. With few qubits that choice takes
many times longer than the gates.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types.

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit_aer.backends.controller_wrappers import AerStateWrapper

from quantcloud.backends.simulation.amplitudes import PureState
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Operation

# Applies a gate with some angles to some qubits.
_Apply = Callable[[Any, tuple[float, ...], tuple[int, ...]], None]

_QUARTER = math.pi / 2
_EIGHTH = math.pi / 4


def _phase(*fixed: float) -> _Apply:
    """Multiply |1> by exp(i angle), where the angle is `fixed` or else the gate's parameter."""

    def apply(native: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        native.apply_u(*qubits, 0.0, 0.0, *(fixed or params))

    return apply


def _controlled_phase(*fixed: float) -> _Apply:
    def apply(native: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        native.apply_mcu(qubits, 0.0, 0.0, *(fixed or params), 0.0)

    return apply


def _crz(native: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
    (angle,) = params
    native.apply_mcu(qubits, 0.0, 0.0, angle, -angle / 2)


_CONFIGURATION = {
    "method": "statevector",
    "device": "CPU",
    "precision": "double",
    "max_parallel_threads": "1",
}

# All other gates are applied as matrices. Global phases differ from those of the gates, which no
# probability depends on.
_GATES: dict[str, _Apply] = {
    **dict.fromkeys(("id", "u0"), lambda _native, _params, _qubits: None),
    "x": lambda native, _, qubits: native.apply_x(*qubits),
    "y": lambda native, _, qubits: native.apply_y(*qubits),
    "z": lambda native, _, qubits: native.apply_z(*qubits),
    "h": lambda native, _, qubits: native.apply_h(*qubits),
    "s": _phase(_QUARTER),
    "sdg": _phase(-_QUARTER),
    "t": _phase(_EIGHTH),
    "tdg": _phase(-_EIGHTH),
    **dict.fromkeys(("p", "u1", "rz"), _phase()),
    "sx": lambda native, _, qubits: native.apply_u(*qubits, _QUARTER, -_QUARTER, _QUARTER),
    "sxdg": lambda native, _, qubits: native.apply_u(*qubits, -_QUARTER, -_QUARTER, _QUARTER),
    "rx": lambda native, angle, qubits: native.apply_u(*qubits, *angle, -_QUARTER, _QUARTER),
    "ry": lambda native, angle, qubits: native.apply_u(*qubits, *angle, 0.0, 0.0),
    "u2": lambda native, angles, qubits: native.apply_u(*qubits, _QUARTER, *angles),
    **dict.fromkeys(
        ("u", "U", "u3"), lambda native, angles, qubits: native.apply_u(*qubits, *angles)
    ),
    **dict.fromkeys(
        ("cx", "CX", "ccx", "c3x", "c4x"), lambda native, _, qubits: native.apply_mcx(qubits)
    ),
    "cy": lambda native, _, qubits: native.apply_mcy(qubits),
    **dict.fromkeys(("cz", "ccz"), lambda native, _, qubits: native.apply_mcz(qubits)),
    **dict.fromkeys(("swap", "cswap"), lambda native, _, qubits: native.apply_mcswap(qubits)),
    "ch": lambda native, _, qubits: native.apply_mcu(qubits, _QUARTER, 0.0, math.pi, 0.0),
    **dict.fromkeys(("cp", "cu1"), _controlled_phase()),
    "cs": _controlled_phase(_QUARTER),
    "csdg": _controlled_phase(-_QUARTER),
    "crx": lambda native, angle, qubits: native.apply_mcu(qubits, *angle, -_QUARTER, _QUARTER, 0.0),
    "crz": _crz,
    "cry": lambda native, angle, qubits: native.apply_mcu(qubits, *angle, 0.0, 0.0, 0.0),
    "cu3": lambda native, angles, qubits: native.apply_mcu(qubits, *angles, 0.0),
    "cu": lambda native, angles, qubits: native.apply_mcu(qubits, *angles),
}


class AerState(PureState):
    """A pure state in double precision; see `branching.State`."""

    __slots__ = ()

    def evolve(self, gates: Sequence[Operation]) -> None:
        native = _workspace()
        # Remove what a circuit that failed may have left.
        native.clear()
        native.initialize_statevector(self.num_qubits, self.amplitudes, True)  # noqa: FBT003 - a copy
        _apply(native, gates)
        native.flush()
        self.amplitudes = native.move_to_ndarray()


class BareStates:
    """Computes probabilities. It keeps one state for each number of qubits.

    To pass a state to Aer and back takes longer than to reset a kept state and query it.
    """

    def __init__(self) -> None:
        self._states: dict[int, tuple[Any, list[int], list[complex]]] = {}

    def probabilities(self, num_qubits: int, gates: Iterable[Operation]) -> NDArray[np.float64]:
        """Return the probabilities of the 2**n basis states after `gates`; all qubits start at 0.

        Bit q of an index is qubit q. The gates are standard ones without a condition.
        """
        entry = self._states.pop(num_qubits, None) or _new_state(num_qubits)
        native, qubits, ground = entry
        native.set_statevector(qubits, ground)
        _apply(native, gates)
        probabilities = np.array(native.probabilities(qubits))
        # After an exception the state is not kept: it may still queue gates.
        self._states[num_qubits] = entry
        return probabilities


def _apply(native: Any, gates: Iterable[Operation]) -> None:
    for name, qubits, params, _, _ in gates:
        apply = _GATES.get(name)
        if apply is None:
            # A copy, because Aer 0.18 reads the transpose of a read-only array.
            native.apply_unitary(qubits, matrix(name, params).copy())
        else:
            apply(native, params, qubits)


def _native() -> Any:
    native = AerStateWrapper()
    for name, value in _CONFIGURATION.items():
        native.configure(name, value)
    return native


_workspace = lru_cache(maxsize=1)(_native)


def _new_state(num_qubits: int) -> tuple[Any, list[int], list[complex]]:
    native = _native()
    native.reallocate_qubits(num_qubits)
    native.initialize()
    ground = [0j] * (1 << num_qubits)
    ground[0] = 1 + 0j
    return native, [*range(num_qubits)], ground
