"""Gates with many controls, made of standard gates, without further qubits.

The number of gates grows with the square of the number of controls. The constructions are those of
Barenco et al., Phys. Rev. A 52, 3457 (1995), sections 7.1 to 7.5.
"""

from collections.abc import Iterator, Sequence

from quantcloud.circuits.expressions import negated
from quantcloud.circuits.ir import Expression, GateCall
from quantcloud.openqasm.version3.gates.normal_forms import combined, scaled

_NOTS = ("x", "cx", "ccx", "c3x", "c4x")
_FEWEST = 3


def many_not(controls: Sequence[int], target: int, spare: Sequence[int]) -> Iterator[GateCall]:
    """Yield an X with controls. `spare` are other qubits, whose states are restored."""
    count = len(controls)
    if count < len(_NOTS):
        yield GateCall(_NOTS[count], (*controls, target))
    elif len(spare) >= count - 2:
        yield from _ladder(controls, target, spare)
    elif spare:
        half = (count + 2) // 2
        first, second = controls[:half], (*controls[half:], spare[0])
        for _ in range(2):
            yield from many_not(first, spare[0], (*second[:-1], target))
            yield from many_not(second, target, first)
    else:
        yield GateCall("h", (target,))
        yield from many_phase(controls, target, (3.141592653589793,))
        yield GateCall("h", (target,))


def _ladder(controls: Sequence[int], target: int, spare: Sequence[int]) -> Iterator[GateCall]:
    """Yield an X with three or more controls, and two fewer spare qubits."""
    count = len(controls)
    used = spare[: count - 2]
    targets = (*used, target)
    steps = [
        GateCall("ccx", (controls[place + 1], used[place - 1], targets[place]))
        for place in range(count - 2, 0, -1)
    ]
    middle = GateCall("ccx", (controls[0], controls[1], targets[0]))
    once = [*steps, middle, *reversed(steps)]
    yield from once
    # The same without the gates on the target restores the spare qubits.
    inner = steps[1:]
    yield from (*inner, middle, *reversed(inner))


def many_phase(controls: Sequence[int], target: int, angle: Expression) -> Iterator[GateCall]:
    """Yield a phase on the state in which all qubits are 1."""
    qubits = (*controls, target)
    while len(qubits) >= _FEWEST:
        angle = scaled(angle, 0.5)
        control, last = qubits[-2:]
        rest = qubits[:-2]
        yield GateCall("cp", (control, last), (angle,))
        yield from many_not(rest, control, (last,))
        yield GateCall("cp", (control, last), (negated(angle),))
        yield from many_not(rest, control, (last,))
        qubits = (*rest, last)
    yield GateCall("cp" if len(qubits) > 1 else "p", qubits, (angle,))


def many_u(
    controls: Sequence[int],
    target: int,
    angles: tuple[Expression, Expression, Expression, Expression],
) -> Iterator[GateCall]:
    """Yield a U with two or more controls; `angles` are theta, phi, lambda and a phase."""
    theta, phi, lam, phase = angles
    half = scaled(theta, 0.5)
    both = scaled(combined(phi, "+", lam), 0.5)
    yield GateCall("rz", (target,), (scaled(combined(lam, "-", phi), 0.5),))
    yield from many_not(controls, target, ())
    yield GateCall("rz", (target,), (negated(both),))
    yield GateCall("ry", (target,), (negated(half),))
    yield from many_not(controls, target, ())
    yield GateCall("ry", (target,), (half,))
    yield GateCall("rz", (target,), (phi,))
    yield from many_phase(controls[:-1], controls[-1], combined(phase, "+", both))
