"""Replaces gates with modifiers by standard gates.

Every standard gate on one qubit is `U` with a global phase, so its controlled forms are known. All
others have definitions in terms of those. Global phases are kept until the last modifier, because
a controlled form turns them into gates.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from quantcloud.circuits.expressions import ExpressionError, is_constant, negated
from quantcloud.circuits.ir import Expression, GateCall, GateDefinition
from quantcloud.openqasm.lowering import standard_definition
from quantcloud.openqasm.version3.gates.multi_control import many_not, many_phase, many_u
from quantcloud.openqasm.version3.gates.normal_forms import (
    LINEAR,
    ZERO,
    Angles,
    as_u,
    combined,
    controlled,
    core,
    inverse,
    is_zero,
    missing_phases,
    scaled,
    substituted,
)
from quantcloud.openqasm.version3.gates.powers import root

PHASE = "gphase"
MAX_CALLS = 100_000
"""The most standard gates that a gate with modifiers stands for."""

_LONGEST_ANGLE = 2_000


class Steps(NamedTuple):
    """Standard gates on qubits 0 to `width - 1`, and the sum of their global phases."""

    width: int
    calls: tuple[GateCall, ...]
    phases: tuple[Expression, ...] = ()


def steps(
    name: str,
    angles: Angles,
    width: int,
    definitions: Mapping[str, GateDefinition],
    phases: Mapping[str, tuple[Expression, ...]],
) -> Steps:
    """Return the standard gates to which a gate expands.

    `phases` are the global phases in the bodies of definitions. Raises `ExpressionError`.
    """
    if name == PHASE:
        return Steps(0, (), angles[:1])
    whole = GateCall(name, tuple(range(width)), angles)
    if name not in definitions:
        return Steps(width, (whole,))
    found: list[GateCall] = []
    total: list[Expression] = []
    budget = 4 * MAX_CALLS
    pending: list[GateCall] = [whole]
    while pending:
        call = pending.pop()
        definition = definitions.get(call.name)
        if definition is None:
            found.append(call)
            continue
        total += [_checked(substituted(phase, call.params)) for phase in phases.get(call.name, ())]
        budget -= 1 + len(definition.body)
        if budget < 0:
            raise _too_many()
        body = reversed(_body(definition, call))
        pending += [inner for inner in body if inner.name != "barrier"]
    return Steps(width, _bounded(found), tuple(total))


def _too_many() -> ExpressionError:
    return ExpressionError(f"the gate expands to more than {MAX_CALLS:,} gates")


def _bounded(calls: Iterable[GateCall]) -> tuple[GateCall, ...]:
    found: list[GateCall] = []
    for call in calls:
        found.append(call)
        if len(found) > MAX_CALLS:
            raise _too_many()
    return tuple(found)


def _checked(angle: Expression) -> Expression:
    if len(angle) > _LONGEST_ANGLE:
        raise ExpressionError("the angles of the gate are too long expressions")
    return angle


def _body(definition: GateDefinition, call: GateCall) -> list[GateCall]:
    """Return the body of a definition on the qubits and with the angles of a call."""
    return [
        GateCall(
            inner.name,
            tuple([call.qubits[place] for place in inner.qubits]),
            tuple([_checked(substituted(angle, call.params)) for angle in inner.params]),
        )
        for inner in definition.body
    ]


def _inside(call: GateCall) -> Steps:
    """Return the definition of a standard gate on two or more qubits, on the qubits of a call."""
    definition = standard_definition(call.name)
    assert definition is not None  # noqa: S101 - only u and cx have none
    calls = tuple(_body(definition, call))
    return Steps(len(call.qubits), calls, missing_phases(call.name))


def inverted(gate: Steps) -> Steps:
    """Return the inverse."""
    calls = _bounded(each for call in reversed(gate.calls) for each in _inverse(call))
    return Steps(gate.width, calls, tuple(map(negated, gate.phases)))


def _inverse(call: GateCall) -> Iterator[GateCall]:
    name, qubits, angles = call
    found = inverse(name, angles)
    if found is not None:
        yield GateCall(found[0], qubits, found[1])
        return
    form = as_u(name, angles)
    if form is not None:
        theta, phi, lam, _ = form
        yield GateCall("u", qubits, (negated(theta), negated(lam), negated(phi)))
        return
    # The only definition that lacks a global phase is of a gate that is its own inverse.
    for inner in reversed(_inside(call).calls):
        yield from _inverse(inner)


def with_controls(gate: Steps, count: int) -> Steps:
    """Return the form with `count` controls, which are its first qubits."""
    if not count:
        return gate
    if count > MAX_CALLS:
        raise _too_many()
    controls = tuple(range(count))
    width = gate.width + count

    def calls() -> Iterator[GateCall]:
        for name, qubits, angles in gate.calls:
            moved = GateCall(name, tuple([qubit + count for qubit in qubits]), angles)
            yield from _controlled(moved, controls, width)
        for phase in gate.phases:
            yield from many_phase(controls[:-1], controls[-1], phase)

    return Steps(width, _bounded(calls()))


def _controlled(call: GateCall, controls: tuple[int, ...], width: int) -> Iterator[GateCall]:
    name, qubits, angles = call
    if name == "cu":
        inner, phase, own = "u", angles[3], 1
        angles = angles[:3]
    else:
        (own, inner), phase = core(name, angles), ZERO
        angles = () if inner == "x" else angles
    controls = (*controls, *qubits[:own])
    direct = controlled(len(controls), inner) if is_zero(phase) else None
    if direct is not None:
        yield GateCall(direct, (*controls, *qubits[own:]), angles)
        return
    form = as_u(inner, angles)
    if form is None:
        definition = _inside(GateCall(inner, qubits[own:], angles))
        for each in definition.calls:
            yield from _controlled(each, controls, width)
        for each in definition.phases:
            yield from many_phase(controls[:-1], controls[-1], each)
        return
    theta, phi, lam, more = form
    phase = combined(phase, "+", more)
    target = qubits[own]
    if len(controls) == 1:
        yield GateCall("cu", (controls[0], target), (theta, phi, lam, phase))
    elif inner == "x":
        used = {*controls, target}
        yield from many_not(controls, target, [bit for bit in range(width) if bit not in used])
    elif is_zero(theta):
        yield from many_phase(controls, target, combined(phi, "+", lam))
        if not is_zero(phase):
            yield from many_phase(controls[:-1], controls[-1], phase)
    else:
        yield from many_u(controls, target, (theta, phi, lam, phase))


def with_negative_controls(gate: Steps, count: int) -> Steps:
    """Return the form with `count` controls that must be 0; they are its first qubits."""
    inner = with_controls(gate, count)
    flips = [GateCall("x", (qubit,)) for qubit in range(min(count, MAX_CALLS))]
    return inner._replace(calls=(*flips, *inner.calls, *flips))


def power(gate: Steps, exponent: float) -> Steps:
    """Return a power. Raises `ExpressionError` if it is not known."""
    if not gate.calls:
        return gate._replace(phases=tuple([scaled(phase, exponent) for phase in gate.phases]))
    if len(gate.calls) == 1 and not gate.phases:
        name, qubits, angles = gate.calls[0]
        if name in LINEAR:
            return gate._replace(calls=(GateCall(name, qubits, (scaled(angles[0], exponent),)),))
    if float(exponent).is_integer():
        if exponent < 0:
            gate = inverted(gate)
        times = int(abs(exponent))
        if times * len(gate.calls) > MAX_CALLS or times * len(gate.phases) > MAX_CALLS:
            raise _too_many()
        return Steps(gate.width, gate.calls * times, gate.phases * times)
    return _fraction(gate, exponent)


def _fraction(gate: Steps, exponent: float) -> Steps:
    own = 0
    if len(gate.calls) == 1 and not gate.phases:
        name, qubits, angles = gate.calls[0]
        if name == "cu":
            theta, phi, lam, phase = angles
            inner = Steps(1, (GateCall("u", (0,), (theta, phi, lam)),), (phase,))
            return with_controls(_fraction(inner, exponent), 1)
        own, inner_name = core(name, angles)
        if own and qubits == tuple(range(gate.width)):
            place = tuple(range(gate.width - own))
            inner = Steps(gate.width - own, (GateCall(inner_name, place, angles),))
            return with_controls(power(inner, exponent), own)
    forms = [as_u(name, angles) for name, _, angles in gate.calls]
    known: list[tuple[float, float, float, float]] = []
    for form in forms:
        if form is None or gate.width != 1 or not all(map(is_constant, form)):
            raise ExpressionError(
                "a power that is no whole number is known only of gates on one qubit with "
                "constant angles, of their controlled forms, and of rotations"
            )
        theta, phi, lam, phase = form
        known.append((float(theta[0]), float(phi[0]), float(lam[0]), float(phase[0])))
    if not all(map(is_constant, gate.phases)):
        raise ExpressionError("the power of a phase that depends on a parameter is not known")
    phases = sum(float(phase[0]) for phase in gate.phases)
    theta, phi, lam, phase = root(known, phases, exponent)
    return Steps(1, (GateCall("u", (0,), ((theta,), (phi,), (lam,))),), ((phase,),))


def without_shadowed(gate: Steps, taken: Container[str]) -> Steps:
    """Replace standard gates whose names the source has `taken` by builtin ones."""
    if not any(call.name in taken for call in gate.calls):
        return gate

    def calls() -> Iterator[GateCall]:
        pending = list(reversed(gate.calls))
        while pending:
            call = pending.pop()
            if call.name not in taken:
                yield call
            elif call.name in ("u", "cx"):
                yield call._replace(name="U" if call.name == "u" else "CX")
            else:
                pending += reversed(_inside(call).calls)

    return gate._replace(calls=_bounded(calls()))
