"""Runs the variables and loops of a program between its measurements."""

from quantcloud.backends.simulation.programs import Program
from quantcloud.circuits.classical import MAX_ROUNDS, UnboundedLoopError, assigned, loop_ends
from quantcloud.routing.method import Refusal


def no_control(backend: str) -> Refusal:
    """Return why a backend does not run circuits with variables or loops."""
    return Refusal(
        f"{backend} computes no variables between measurements and repeats no loops; "
        "local_simulator and aer_simulator do"
    )


def no_conditional_collapse(backend: str) -> Refusal:
    """Return why a backend does not run circuits with conditional measurements or resets."""
    return Refusal(
        f"{backend} measures and resets no qubit under a condition; "
        "local_simulator and aer_simulator do"
    )


class Control:
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
