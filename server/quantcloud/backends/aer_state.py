"""Small circuits on Aer's bare state, gate by gate.

Aer's controller takes a whole circuit and chooses what to do with it. For a few qubits that takes
many times longer than the gates.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types.

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit_aer.backends.controller_wrappers import AerStateWrapper

from quantcloud.backends.unitaries import matrix
from quantcloud.circuits.ir import Operation

# Applies a gate with some angles to some qubits.
_Apply = Callable[[Any, tuple[float, ...], tuple[int, ...]], None]

_QUARTER = math.pi / 2
_EIGHTH = math.pi / 4


def _phase(*fixed: float) -> _Apply:
    """Multiply |1> by exp(i angle): the `fixed` one, or the gate's own."""

    def apply(state: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        state.apply_u(*qubits, 0.0, 0.0, *(fixed or params))

    return apply


def _controlled_phase(*fixed: float) -> _Apply:
    def apply(state: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        state.apply_mcu(qubits, 0.0, 0.0, *(fixed or params), 0.0)

    return apply


def _crz(state: Any, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
    (angle,) = params
    state.apply_mcu(qubits, 0.0, 0.0, angle, -angle / 2)


# The others are applied as their matrices. Global phases differ from those of the gates: no
# probability shows them.
_GATES: dict[str, _Apply] = {
    **dict.fromkeys(("id", "u0"), lambda _state, _params, _qubits: None),
    "x": lambda state, _, qubits: state.apply_x(*qubits),
    "y": lambda state, _, qubits: state.apply_y(*qubits),
    "z": lambda state, _, qubits: state.apply_z(*qubits),
    "h": lambda state, _, qubits: state.apply_h(*qubits),
    "s": _phase(_QUARTER),
    "sdg": _phase(-_QUARTER),
    "t": _phase(_EIGHTH),
    "tdg": _phase(-_EIGHTH),
    **dict.fromkeys(("p", "u1", "rz"), _phase()),
    "sx": lambda state, _, qubits: state.apply_u(*qubits, _QUARTER, -_QUARTER, _QUARTER),
    "sxdg": lambda state, _, qubits: state.apply_u(*qubits, -_QUARTER, -_QUARTER, _QUARTER),
    "rx": lambda state, angle, qubits: state.apply_u(*qubits, *angle, -_QUARTER, _QUARTER),
    "ry": lambda state, angle, qubits: state.apply_u(*qubits, *angle, 0.0, 0.0),
    "u2": lambda state, angles, qubits: state.apply_u(*qubits, _QUARTER, *angles),
    **dict.fromkeys(
        ("u", "U", "u3"), lambda state, angles, qubits: state.apply_u(*qubits, *angles)
    ),
    **dict.fromkeys(
        ("cx", "CX", "ccx", "c3x", "c4x"), lambda state, _, qubits: state.apply_mcx(qubits)
    ),
    "cy": lambda state, _, qubits: state.apply_mcy(qubits),
    **dict.fromkeys(("cz", "ccz"), lambda state, _, qubits: state.apply_mcz(qubits)),
    **dict.fromkeys(("swap", "cswap"), lambda state, _, qubits: state.apply_mcswap(qubits)),
    "ch": lambda state, _, qubits: state.apply_mcu(qubits, _QUARTER, 0.0, math.pi, 0.0),
    **dict.fromkeys(("cp", "cu1"), _controlled_phase()),
    "cs": _controlled_phase(_QUARTER),
    "csdg": _controlled_phase(-_QUARTER),
    "crx": lambda state, angle, qubits: state.apply_mcu(qubits, *angle, -_QUARTER, _QUARTER, 0.0),
    "crz": _crz,
    "cry": lambda state, angle, qubits: state.apply_mcu(qubits, *angle, 0.0, 0.0, 0.0),
    "cu3": lambda state, angles, qubits: state.apply_mcu(qubits, *angles, 0.0),
    "cu": lambda state, angles, qubits: state.apply_mcu(qubits, *angles),
}


class SmallStates:
    """Computes probabilities, on a state for each number of qubits that it keeps.

    To make a state anew takes longer than to set it.
    """

    def __init__(self) -> None:
        self._states: dict[int, tuple[Any, list[int], list[complex]]] = {}

    def probabilities(self, num_qubits: int, gates: Iterable[Operation]) -> NDArray[np.float64]:
        """Give the probabilities of all 2**n basis states after `gates`, from all qubits at 0.

        Bit q of an index is qubit q. The gates are standard ones without a condition.
        """
        held = self._states.pop(num_qubits, None) or _made(num_qubits)
        state, qubits, zero = held
        state.set_statevector(qubits, zero)
        for gate in gates:
            apply = _GATES.get(gate.name)
            if apply is None:
                # A copy, since Aer 0.18 reads an array that is not writeable as its transpose.
                state.apply_unitary(gate.qubits, matrix(gate.name, gate.params).copy())
            else:
                apply(state, gate.params, gate.qubits)
        found = np.array(state.probabilities(qubits))
        # Not kept where something was raised: gates may wait in it.
        self._states[num_qubits] = held
        return found


def _made(num_qubits: int) -> tuple[Any, list[int], list[complex]]:
    state = AerStateWrapper()
    configuration = {
        "method": "statevector",
        "device": "CPU",
        "precision": "double",
        "max_parallel_threads": "1",
    }
    for name, value in configuration.items():
        state.configure(name, value)
    state.reallocate_qubits(num_qubits)
    state.initialize()
    zero = [0j] * (1 << num_qubits)
    zero[0] = 1 + 0j
    return state, [*range(num_qubits)], zero
