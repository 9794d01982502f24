"""The messages between the server and a worker, over the worker's socket.

A frame is its kind, its length and a payload. The server does not trust its workers, so what they
send is JSON and flat arrays. Unlike a pickle, these can be wrong but cannot run code.
"""

import json
import math
import struct
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple, cast

from quantcloud.backends.result_sizes import MAX_RESULT_BYTES
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import CircuitError, InvalidArgument
from quantcloud.domain.execution import Outcome, Statevector
from quantcloud.domain.points import Points
from quantcloud.domain.sweep import Input, Sweep
from quantcloud.drawing import Drawing
from quantcloud.engine.pool.failure import bounded
from quantcloud.quantsdk import Program, RunSettings

HEADER = struct.Struct("!cQ")

# To a worker.
EXECUTE = b"x"
PREPARE_AND_EXECUTE = b"p"
EXAMINE = b"e"
READ_PROGRAM = b"c"
DRAW = b"w"

# From a worker: READY once, when it can start requests. Then one of the others for each request, in
# order. OUTCOME has what was asked for. NOT_BEGUN answers a request that the server took back. A
# worker sends nothing after OUT_OF_MEMORY. PREPARED comes before the answer, when a backend that
# had to be prepared is ready.
READY = b"r"
PREPARED = b"d"
OUTCOME = b"o"
INVALID = b"i"
FAILED = b"f"
OUT_OF_MEMORY = b"m"
NOT_BEGUN = b"n"

# The longest answer of a worker, in bytes.
MAX_ANSWER = MAX_RESULT_BYTES

# The longest JSON, in bytes. While JSON is parsed no other thread runs, so large results are
# arrays.
MAX_JSON = 256 << 10

# The longest drawing with its analysis, in bytes. A drawing has at most 2,000 instructions, and an
# analysis names the gates of a circuit of 256 KiB.
MAX_DRAWING = 8 << 20

# How much of a traceback goes to the operator's log, in characters. Its end says most.
MAX_DETAILS = 8192

_LENGTH = struct.Struct("!Q")

# Made once, because `json.dumps` checks its options first.
_write_json = json.JSONEncoder(check_circular=False).encode

# An analysis contains the names of a circuit's gates, and at most this many bytes besides. One
# character outside ASCII takes up to 12 bytes of JSON.
_ANALYSIS_BYTES, _CHARACTER_BYTES = 4096, 12

# Stands for the counts of a sweep, whose results are points.
_IN_POINTS = "points"
_METADATA = "the result's metadata"

# Large answers are decoded in another thread, this many characters or numbers at a time, because
# no other thread runs during one step.
_STEP = 1 << 14

# The run settings of a program, field by field. Each may be absent.
_SETTINGS = ((int,), (str,), (str,), (int, float), (int, float), (int,))

# The errors that decoding an invalid answer raises.
_DECODING_ERRORS = (struct.error, ValueError, KeyError, TypeError, OverflowError, RecursionError)


class Frame(NamedTuple):
    """One message."""

    kind: bytes
    payload: bytes


class MalformedAnswer(Exception):
    """A worker sent an invalid answer."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Return the bytes of a message."""
    return HEADER.pack(kind, len(payload)) + payload


def encode_failure(message: str, details: str) -> bytes:
    """Encode why a run failed. `message` is for the user, `details` for the operator's log."""
    return _pack([message, details])


def decode_failure(payload: bytes) -> tuple[str, str]:
    """Decode a failure. Raises `MalformedAnswer`."""
    with _checked():
        (message, details), _ = _unpack(payload)
        return bounded(str(message)), bounded(str(details), MAX_DETAILS)


def encode_analysis(analysis: Analysis) -> bytes:
    """Encode the analysis of a circuit."""
    return _pack(asdict(analysis), longest=MAX_ANSWER)


def decode_analysis(payload: bytes, characters: int = MAX_JSON) -> Analysis:
    """Decode the analysis of a circuit of `characters` characters. Raises `MalformedAnswer`."""
    with _checked():
        known, _ = _unpack(payload, longest=_longest_analysis(characters))
        return _analysis(known)


def encode_drawing(analysis: Analysis, drawing: Drawing) -> bytes:
    """Encode a drawing and the analysis of its circuit."""
    head = [asdict(analysis), drawing.hidden_qubits, drawing.hidden_instructions]
    return _pack(head, drawing.svg.encode(), drawing.text.encode(), longest=MAX_DRAWING)


def decode_drawing(payload: bytes, characters: int = MAX_JSON) -> tuple[Analysis, Drawing]:
    """Decode a drawing of a circuit of `characters` characters. Raises `MalformedAnswer`."""
    with _checked():
        if len(payload) > MAX_DRAWING:
            raise ValueError("the drawing is too long")
        (known, qubits, instructions), (svg, text) = _unpack(
            payload, longest=_longest_analysis(characters)
        )
        drawing = Drawing(svg.decode(), text.decode(), int(qubits), int(instructions))
        return _analysis(known), drawing


def _longest_analysis(characters: int) -> int:
    return _ANALYSIS_BYTES + _CHARACTER_BYTES * characters


def _analysis(known: dict[str, Any]) -> Analysis:
    known["inputs"] = tuple([Input(**each) for each in known["inputs"]])
    return Analysis(**known)


def encode_program(program: Program) -> bytes:
    """Encode what reading a program gave."""
    qasm, name, reason, settings = program
    return _pack([name, reason, settings], qasm.encode("ascii"))


def decode_program(payload: bytes) -> Program:
    """Decode what reading a program gave. Raises `MalformedAnswer`."""
    with _checked():
        (name, reason, settings), (qasm,) = _unpack(payload)
        for value, kinds in zip(settings, _SETTINGS, strict=True):
            if value is not None and type(value) not in kinds:
                raise TypeError("not how a run is set")
        return Program(qasm.decode("ascii"), str(name), str(reason), RunSettings(*settings))


def encode_invalid(error: InvalidArgument) -> bytes:
    """Encode the error of a circuit."""
    where = (error.line, error.column) if isinstance(error, CircuitError) else None
    return _pack([error.field, error.description, error.reason, error.metadata, where])


def decode_invalid(payload: bytes) -> InvalidArgument:
    """Decode the error of a circuit. Raises `MalformedAnswer`."""
    with _checked():
        (field, description, reason, metadata, where), _ = _unpack(payload)
        if where is None:
            return InvalidArgument(field, description, reason=reason, metadata=metadata)
        line, column = where
        # The constructor adds the position to the message, which already has it.
        text = str(description).removeprefix(f"line {line}, column {column}: ")
        error = CircuitError(text, line, column, field=field)
        error.reason = reason
        error.metadata = dict(metadata)
        return error


def encode_outcome(outcome: Outcome) -> bytes:
    """Encode an outcome. Its bitstrings must hold no line feed, and its shots be less than 2**63.

    Raises `TypeError` if JSON cannot express the metadata, and `ValueError` if it is too long.
    """
    counts, state, memory = outcome.counts, outcome.statevector, outcome.memory
    about = [float(outcome.execution_time_ms), dict(outcome.metadata)]
    if outcome.points is not None:
        return _pack([*about, _IN_POINTS], outcome.points.to_bytes(), called=_METADATA)
    # One empty bitstring and no bitstring join to the same text.
    shots = None if memory is None else len(memory)
    return _pack(
        [*about, [len(counts), state is not None, shots]],
        "\n".join(counts).encode("ascii"),
        array("q", map(int, counts.values())).tobytes(),
        array("d", state.real if state else ()).tobytes(),
        array("d", state.imag if state else ()).tobytes(),
        "\n".join(memory or ()).encode("ascii"),
        called=_METADATA,
    )


def decode_outcome(payload: bytes, sweep: Sweep | None = None) -> Outcome:
    """Decode the outcome of a run, which may be of a sweep. Raises `MalformedAnswer`."""
    with _checked():
        outcome = _outcome(payload)
        points = outcome.points
        wanted = None if sweep is None else (sweep.first, sweep.last)
        if wanted != (None if points is None else (points.first, points.last)):
            raise ValueError("the outcome has other points than the run")
        return outcome


def _outcome(payload: bytes) -> Outcome:
    (milliseconds, metadata, content), sections = _unpack(payload)
    if not isinstance(metadata, dict):
        raise TypeError("metadata is not a mapping")
    metadata = cast("dict[str, object]", metadata)
    # An account is charged for this time.
    if not 0 <= (time_ms := float(milliseconds)) < math.inf:
        raise ValueError("invalid execution time")
    if content == _IN_POINTS:
        (points,) = sections
        return Outcome({}, time_ms, metadata=metadata, points=Points.from_bytes(points))
    outcomes, has_state, shots = content
    keys, values, real, imag, memory = sections
    return Outcome(
        counts=_counts(_lines(keys, outcomes), array("q", values)),
        execution_time_ms=time_ms,
        statevector=Statevector(_floats(real), _floats(imag)) if has_state else None,
        memory=None if shots is None else tuple(_lines(memory, shots)),
        metadata=metadata,
    )


def _pack(
    head: object, *sections: bytes, longest: int = MAX_JSON, called: str = "the message"
) -> bytes:
    """Encode a value of JSON, and sections of any bytes. Raises `ValueError` and `TypeError`.

    `called` is the name of the value in the error that says it is too long.
    """
    text = _write_json([head, *map(len, sections)]).encode()
    if len(text) > longest:
        raise ValueError(f"{called} is longer than {longest >> 10} KiB as JSON")
    return b"".join((_LENGTH.pack(len(text)), text, *sections))


def _unpack(payload: bytes, longest: int = MAX_JSON) -> tuple[Any, list[bytes]]:
    """Undo `_pack`. Raises one of `_DECODING_ERRORS`."""
    (length,) = _LENGTH.unpack_from(payload)
    if length > longest:
        raise ValueError("the JSON is too long")
    end = _LENGTH.size + length
    head, *sizes = json.loads(payload[_LENGTH.size : end])
    sections: list[bytes] = []
    for size in sizes:
        sections.append(payload[end : end + size])
        end += size
    if end != len(payload):
        raise ValueError("the sections do not have the sizes that they state")
    return head, sections


@contextmanager
def _checked() -> Generator[None]:
    """Turn decoding errors into `MalformedAnswer`."""
    try:
        yield
    except _DECODING_ERRORS as error:
        raise MalformedAnswer(str(error)) from error


def _counts(outcomes: Sequence[str], values: Sequence[int]) -> dict[str, int]:
    if len(outcomes) != len(values):
        raise ValueError("wrong number of counts")
    if values and min(values) < 0:
        raise ValueError("a negative count")
    counts: dict[str, int] = {}
    for first in range(0, len(outcomes), _STEP):
        some = slice(first, first + _STEP)
        counts.update(zip(outcomes[some], values[some], strict=True))
    return counts


def _lines(text: bytes, count: int) -> list[str]:
    whole = text.decode("ascii")
    lines: list[str] = []
    start = 0
    while count and start <= len(whole):
        end = whole.find("\n", start + _STEP)
        end = len(whole) if end < 0 else end
        lines += whole[start:end].split("\n")
        start = end + 1
    if len(lines) != count:
        raise ValueError("wrong number of bitstrings")
    return lines


def _floats(data: bytes) -> tuple[float, ...]:
    return tuple(array("d", data))
