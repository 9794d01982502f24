"""Which of the operations run: conditions, and jumps that measurements decide.

Each operation carries the condition on which it runs, so `if` needs no jump. A condition of more
than one comparison is computed into a bit of its own. When a measurement decides on a `break`, all
later operations of the loop run on the condition that it did not happen.
"""

from typing import NamedTuple

from quantcloud.circuits.ir import Apply, Assignment, Bits, Condition, Formula
from quantcloud.circuits.limits import MAX_CLBITS
from quantcloud.openqasm.builder import CircuitBuilder
from quantcloud.openqasm.lexer import Lexer
from quantcloud.openqasm.version3.running.names import Names, Variable

SCRATCH = MAX_CLBITS
"""The first bit of variables while a source is parsed; no register reaches it."""


class Frame(NamedTuple):
    """A loop, a round of a loop, or a call of a subroutine.

    `base` is the condition at its begin. `is_loop` says that the circuit repeats it. Then
    `returned` is the bit that says that a `return` has ended it, if it has one. `result` is that of
    a call.
    """

    kind: str
    base: Condition | None
    is_loop: bool = False
    returned: int | None = None
    result: Variable | None = None


class Stop(NamedTuple):
    """A jump out of the frame at `level`, which happened in the shots with `bit` set."""

    bit: int
    level: int


class Leave(Exception):
    """A jump out of the frame at `level` that happens in all shots."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.level = level


class Guards:
    """The present condition, the frames around the present statement, and pending jumps."""

    def __init__(self, lexer: Lexer, builder: CircuitBuilder) -> None:
        self._lexer = lexer
        self._builder = builder
        self.condition: Condition | None = None
        self.frames: list[Frame] = []
        self.stops: list[Stop] = []

    def allocate(self, size: int, start: int) -> int:
        """Return the first of `size` bits for a variable. Raises `CircuitError`."""
        offset = self._builder.scratch_bits
        self._builder.scratch_bits += size
        if self._builder.scratch_bits > MAX_CLBITS:
            raise self._lexer.error(
                f"the variables of the circuit would have more than {MAX_CLBITS:,} bits", start
            )
        return SCRATCH + offset

    def keep(self, offset: int, size: int, formula: Formula, start: int) -> None:
        """Assign to bits in all shots."""
        self._builder.assign(Assignment(offset, size, formula), start)

    def change(self, offset: int, size: int, formula: Formula, start: int) -> None:
        """Assign to bits on the present condition."""
        self._builder.assign(Assignment(offset, size, formula), start, self.condition)

    def computed(self, formula: Formula, start: int) -> Condition:
        """Return the condition that a formula of one bit is 1, and that the present one holds."""
        if self.condition is not None:
            formula = (*holds(self.condition), *formula, Apply("&&", 1))
        bit = self.allocate(1, start)
        self.keep(bit, 1, formula, start)
        return Condition(bit, 1, 1)

    def without(self, bits: list[int], start: int) -> None:
        """Exclude the shots in which one of the bits is set from what follows."""
        for bit in bits:
            self.condition = self.computed((Bits(bit, 1), Apply("!", 1)), start)

    # Frames

    def enter(self, frame: Frame) -> int:
        """Begin a frame and return its level."""
        self.frames.append(frame)
        return len(self.frames) - 1

    def leave(self) -> list[int]:
        """End the innermost frame; return the bits of the jumps out of it."""
        self.frames.pop()
        level = len(self.frames)
        own = [stop.bit for stop in self.stops if stop.level >= level]
        self.stops = [stop for stop in self.stops if stop.level < level]
        return own

    def target(self, kind: str) -> int | None:
        """Return the level of the innermost frame of a kind, within the present call."""
        for level in range(len(self.frames) - 1, -1, -1):
            if self.frames[level].kind == kind:
                return level
            if self.frames[level].kind == "call":
                return None
        return None

    def call(self) -> Frame | None:
        """Return the frame of the present call of a subroutine."""
        level = self.target("call")
        return None if level is None else self.frames[level]

    def jump_out(self, start: int) -> None:
        """Return from the present call, as `jump` does."""
        level = self.target("call")
        assert level is not None  # noqa: S101 - the caller is in a call
        self.jump(level, start)

    def jump(self, level: int, start: int) -> None:
        """Leave the frame at `level` on the present condition.

        Raises `Leave` if that is the condition of the frame.
        """
        crossed = [frame for frame in self.frames[level + 1 :] if frame.is_loop]
        if not crossed:
            self._stop(level, start)
            return
        # A return from inside of loops of the circuit: each loop says outside that it was left.
        loop = max(place for place, frame in enumerate(self.frames) if frame.is_loop)
        returned = self.frames[loop].returned
        assert returned is not None  # noqa: S101 - loops with a return have the bit
        self.change(returned, 1, (1,), start)
        self._stop(loop, start)

    def _stop(self, level: int, start: int) -> None:
        if self.condition == self.frames[level].base:
            raise Leave(level)
        assert self.condition is not None  # noqa: S101 - else it were that of the frame
        bit = self.allocate(1, start)
        self.keep(bit, 1, holds(self.condition), start)
        self.stops.append(Stop(bit, level))


class State(NamedTuple):
    """What the parts of an interpreter share: the source, the circuit so far and the names."""

    lexer: Lexer
    builder: CircuitBuilder
    names: Names
    guards: Guards


def holds(condition: Condition) -> Formula:
    """Return the formula of a condition."""
    offset, size, value = condition
    if size == 1 and value == 1:
        return (Bits(offset, 1),)
    return (Bits(offset, size), value, Apply("==", 1))


def simple(formula: Formula) -> Condition | None:
    """Return the condition that is the same as a formula, if it compares bits with a constant."""
    match formula:
        case (Bits(offset, size, False),) if size == 1:
            return Condition(offset, 1, 1)
        case (Bits(offset, size, False), int(value), Apply("==")) if value >= 0:
            return Condition(offset, size, min(value, 1 << size))
        case (int(value), Bits(offset, size, False), Apply("==")) if value >= 0:
            return Condition(offset, size, min(value, 1 << size))
        case (Bits(offset, 1, False), int(value), Apply("!=")) if value in (0, 1):
            return Condition(offset, 1, 1 - value)
        case (*inner, Apply("!")):
            found = simple(tuple(inner))
            if found is not None and found.size == 1 and found.value in (0, 1):
                return found._replace(value=1 - found.value)
        case _:
            pass
    return None
