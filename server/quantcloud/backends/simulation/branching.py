"""Runs circuits with mid-circuit measurements, resets or conditions, without a run for each shot.

All shots start together. At a measurement, a binomial draw says how many shots have each outcome,
and the state is copied for the second outcome. So the work grows with the number of different
histories, not with the shots, and the outcomes are distributed as if each shot ran alone. The part
with fewer shots goes on first, and the other waits. Each waiting part has at least as many shots as
all that run before it, so at most log2(shots) + 1 states wait at any time.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import Counts, Patterns, bitstrings
from quantcloud.circuits.classical import (
    MAX_ROUNDS,
    UnboundedLoopError,
    assigned,
    holds,
    loop_ends,
)
from quantcloud.circuits.ir import CONTROL, Operation


class State(Protocol):
    """A normalised quantum state of all qubits."""

    def evolve(self, gates: Sequence[Operation]) -> None:
        """Apply standard gates, in place."""
        ...

    def flip(self, qubit: int) -> None:
        """Apply an X gate without noise."""
        ...

    def probability_of_one(self, qubit: int) -> float: ...

    def project(self, qubit: int, *, outcome: bool, probability: float) -> None:
        """Collapse `qubit` to `outcome`, which had `probability`."""
        ...

    def copy(self) -> Self: ...

    def sample(
        self, qubits: Sequence[int], shots: int, rng: np.random.Generator
    ) -> tuple[Patterns, Counts]:
        """Measure `qubits` `shots` times, each time in this state.

        Returns distinct patterns, whose bit i is `qubits[i]`, and their counts.
        """
        ...


class _Control:
    """The operations of `ir.CONTROL` in the body of a program."""

    def __init__(self, program: Program) -> None:
        self.body = program.body
        self._assignments = program.assignments
        self._ends = loop_ends(program.body) if program.has_control else {}

    def step(self, position: int, bits: int, rounds: int, *, holds: bool) -> tuple[int, int, int]:
        """Run the operation at `position`, whose condition `holds` or not.

        Returns the next position, the classical bits and the number of rounds of loops so far.
        Raises `UnboundedLoopError`.
        """
        operation = self.body[position]
        if operation.name == "end":
            return self._ends[position], bits, rounds
        if operation.name == "while":
            if not holds:
                return self._ends[position] + 1, bits, rounds
            if rounds >= MAX_ROUNDS:
                raise UnboundedLoopError
            rounds += 1
        elif holds:
            bits = assigned(self._assignments[int(operation.params[0])], bits)
        return position + 1, bits, rounds


class _Branch(NamedTuple):
    """Shots with the same history up to `position` in the body, with `rounds` of loops."""

    state: State
    position: int
    bits: int
    shots: int
    rounds: int = 0


class _Part(NamedTuple):
    """The shots of a branch whose qubit had `outcome`."""

    shots: int
    outcome: bool


def run(program: Program, state: State, shots: int, rng: np.random.Generator) -> dict[str, int]:
    """Run `program` from `state`, which it consumes, and count the outcomes of `shots` shots."""
    counts: dict[str, int] = {}
    clbits = tuple(program.final)
    qubits = tuple(program.final.values())
    waiting = [_Branch(state, 0, 0, shots)]
    control = _Control(program)
    while waiting:
        branch = _follow(control, waiting.pop(), waiting, rng)
        if program.basis:
            branch.state.evolve(program.basis)
        patterns, drawn = branch.state.sample(qubits, branch.shots, rng)
        keys = bitstrings(patterns, clbits, program.num_clbits, program.at_end(branch.bits))
        for key, count in zip(keys, drawn.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + count
    return counts


def _follow(
    control: _Control,
    branch: _Branch,
    waiting: list[_Branch],
    rng: np.random.Generator,
) -> _Branch:
    """Follow `branch` to the end of the body; add the branches that split off to `waiting`."""
    state, position, bits, shots, rounds = branch
    body = control.body
    gates: list[Operation] = []
    while position < len(body):
        operation = body[position]
        met = operation.condition is None or holds(operation.condition, bits)
        if operation.name in CONTROL:
            position, bits, rounds = control.step(position, bits, rounds, holds=met)
            continue
        position += 1
        if not met:
            continue
        if operation.name not in ("measure", "reset"):
            gates.append(operation)
            continue
        if gates:
            state.evolve(gates)
            gates = []
        (qubit,) = operation.qubits
        probability = min(max(state.probability_of_one(qubit), 0.0), 1.0)
        parts = _divide(shots, probability, rng)
        parts.sort(reverse=True)
        for part in parts[:-1]:
            other = _collapse(state.copy(), operation, part, probability)
            recorded = _record(bits, operation, part)
            waiting.append(_Branch(other, position, recorded, part.shots, rounds))
        part = parts[-1]
        state = _collapse(state, operation, part, probability)
        bits = _record(bits, operation, part)
        shots = part.shots
    if gates:
        state.evolve(gates)
    return _Branch(state, position, bits, shots, rounds)


def _divide(shots: int, probability_of_one: float, rng: np.random.Generator) -> list[_Part]:
    ones = int(rng.binomial(shots, probability_of_one))
    parts = (_Part(shots - ones, outcome=False), _Part(ones, outcome=True))
    return [part for part in parts if part.shots]


def _collapse(state: State, operation: Operation, part: _Part, probability_of_one: float) -> State:
    (qubit,) = operation.qubits
    probability = probability_of_one if part.outcome else 1 - probability_of_one
    state.project(qubit, outcome=part.outcome, probability=probability)
    if operation.name == "reset" and part.outcome:
        state.flip(qubit)
    return state


def _record(bits: int, operation: Operation, part: _Part) -> int:
    if operation.name != "measure":
        return bits
    mask = 1 << operation.clbits[0]
    return bits | mask if part.outcome else bits & ~mask
