"""The messages between the server and a worker, over the worker's socket.

A frame is its kind, its length and a payload. The server does not trust its workers, so what they
send is JSON and flat arrays. Unlike a pickle, these can be wrong but cannot run code.
"""

import json
import math
import pickle
import struct
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any, NamedTuple, cast

from quantcloud.backends.result_sizes import MAX_RESULT_BYTES
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import CircuitError, InvalidArgument
from quantcloud.domain.execution import Execution, Outcome, RunOptions, Statevector
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
# order. NOT_BEGUN answers a request that the server took back. A worker sends nothing after
# OUT_OF_MEMORY. PREPARED comes before the answer, when a backend that had to be prepared is ready.
READY = b"r"
PREPARED = b"d"
OUTCOME = b"o"
ANALYSIS = b"a"
PROGRAM = b"t"
DRAWING = b"g"
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

# Pickling the values takes half as long as pickling dataclasses with slots.
_FIELDS = tuple(field.name for field in fields(Execution))
_OPTIONS = _FIELDS.index("options")
_values = attrgetter(*_FIELDS)
_option_values = attrgetter(*(field.name for field in fields(RunOptions)))

_LENGTH = struct.Struct("!Q")
_SECTIONS = struct.Struct("!5Q")
_DRAWING = struct.Struct("!2I3Q")

# Made once, because `json.dumps` and `json.loads` check their options first.
_write_json = json.JSONEncoder(check_circular=False).encode
_read_json = json.JSONDecoder().raw_decode

# An analysis contains the names of a circuit's gates, and at most this many bytes besides. One
# character outside ASCII takes up to 12 bytes of JSON.
_ANALYSIS_BYTES, _CHARACTER_BYTES = 4096, 12

# Stands for the counts of a sweep, whose results are points.
_IN_POINTS = "points"

# Up to this many outcomes, with this many characters in all, are JSON. More are faster as arrays.
_MAX_JSON_OUTCOMES = 64
_MAX_JSON_CHARACTERS = 16 << 10

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


def encode_execution(execution: Execution) -> bytes:
    """Encode a run for a worker."""
    values = list(_values(execution))
    values[_OPTIONS] = _option_values(execution.options)
    return pickle.dumps(values)


def decode_execution(payload: bytes) -> Execution:
    """Decode a run in the worker, which can trust the server."""
    values: list[Any] = pickle.loads(payload)  # noqa: S301 (from the server)
    values[_OPTIONS] = RunOptions(*values[_OPTIONS])
    return Execution(*values)


def encode_failure(message: str, details: str) -> bytes:
    """Encode why a run failed. `message` is for the user, `details` for the operator's log."""
    return json.dumps([message, details]).encode()


def decode_failure(payload: bytes) -> tuple[str, str]:
    """Decode a failure. Raises `MalformedAnswer`."""
    with _checked():
        message, details = json.loads(_bounded(payload))
        return bounded(str(message)), bounded(str(details), MAX_DETAILS)


def encode_analysis(analysis: Analysis) -> bytes:
    """Encode the analysis of a circuit."""
    return json.dumps(asdict(analysis)).encode()


def decode_analysis(payload: bytes, characters: int = MAX_JSON) -> Analysis:
    """Decode the analysis of a circuit of `characters` characters. Raises `MalformedAnswer`."""
    with _checked():
        if len(payload) > _ANALYSIS_BYTES + _CHARACTER_BYTES * characters:
            raise ValueError("the JSON is too long")
        known = json.loads(payload)
        known["inputs"] = tuple([Input(**each) for each in known["inputs"]])
        return Analysis(**known)


def encode_drawing(analysis: Analysis, drawing: Drawing) -> bytes:
    """Encode a drawing and the analysis of its circuit."""
    parts = (encode_analysis(analysis), drawing.svg.encode(), drawing.text.encode())
    hidden = (drawing.hidden_qubits, drawing.hidden_instructions)
    return _DRAWING.pack(*hidden, *map(len, parts)) + b"".join(parts)


def decode_drawing(payload: bytes, characters: int = MAX_JSON) -> tuple[Analysis, Drawing]:
    """Decode a drawing of a circuit of `characters` characters. Raises `MalformedAnswer`."""
    with _checked():
        if len(payload) > MAX_DRAWING:
            raise ValueError("the drawing is too long")
        qubits, instructions, *sizes = _DRAWING.unpack_from(payload)
        end, parts = _DRAWING.size, list[bytes]()
        for size in sizes:
            parts.append(payload[end : end + size])
            end += size
        analysis, svg, text = parts
        drawing = Drawing(svg.decode(), text.decode(), qubits, instructions)
        return decode_analysis(analysis, characters), drawing


def encode_program(program: Program) -> bytes:
    """Encode what reading a program gave."""
    qasm, name, reason, settings = program
    return _headed([name, reason, settings]) + qasm.encode("ascii")


def decode_program(payload: bytes) -> Program:
    """Decode what reading a program gave. Raises `MalformedAnswer`."""
    with _checked():
        end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
        name, reason, settings = json.loads(_bounded(payload[_LENGTH.size : end]))
        for value, kinds in zip(settings, _SETTINGS, strict=True):
            if value is not None and type(value) not in kinds:
                raise TypeError("not how a run is set")
        qasm = payload[end:].decode("ascii")
        return Program(qasm, str(name), str(reason), RunSettings(*settings))


def encode_invalid(error: InvalidArgument) -> bytes:
    """Encode the error of a circuit."""
    where = (error.line, error.column) if isinstance(error, CircuitError) else None
    fields = [error.field, error.description, error.reason, error.metadata, where]
    return json.dumps(fields).encode()


def decode_invalid(payload: bytes) -> InvalidArgument:
    """Decode the error of a circuit. Raises `MalformedAnswer`."""
    with _checked():
        field, description, reason, metadata, where = json.loads(_bounded(payload))
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
        return _headed([*about, _IN_POINTS]) + outcome.points.to_bytes()
    are_few = len(counts) <= _MAX_JSON_OUTCOMES and sum(map(len, counts)) <= _MAX_JSON_CHARACTERS
    if are_few and state is None and memory is None:
        return _headed([*about, {key: int(count) for key, count in counts.items()}])
    sections = (
        "\n".join(counts).encode("ascii"),
        array("q", map(int, counts.values())).tobytes(),
        array("d", state.real if state else ()).tobytes(),
        array("d", state.imag if state else ()).tobytes(),
        "\n".join(memory or ()).encode("ascii"),
    )
    # One empty bitstring and no bitstring join to the same text.
    shots = None if memory is None else len(memory)
    head = _headed([*about, [len(counts), state is not None, shots]])
    return head + _SECTIONS.pack(*map(len, sections)) + b"".join(sections)


def _headed(about: list[object]) -> bytes:
    head = _write_json(about).encode()
    if len(head) > MAX_JSON:
        raise ValueError(f"the result's metadata is longer than {MAX_JSON >> 10} KiB as JSON")
    return _LENGTH.pack(len(head)) + head


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
    (length,) = _LENGTH.unpack_from(payload)
    end = _LENGTH.size + length
    text = _bounded(payload[_LENGTH.size : end]).decode()
    (time_ms, metadata, content), read = _read_json(text)
    if read != len(text):
        raise ValueError("text after the JSON")
    if content == _IN_POINTS:
        points = Points.from_bytes(payload[end:])
        return Outcome({}, _milliseconds(time_ms), metadata=_mapping(metadata), points=points)
    if isinstance(content, dict):
        if len(payload) != end:
            raise ValueError("data after the message")
        counts = cast("dict[str, int]", content)
        checked = dict(zip(counts, _natural(array("q", counts.values())), strict=True))
        return Outcome(checked, _milliseconds(time_ms), metadata=_mapping(metadata))
    outcomes, has_state, shots = content
    sections: list[bytes] = []
    offset = end + _SECTIONS.size
    for size in _SECTIONS.unpack_from(payload, end):
        sections.append(payload[offset : offset + size])
        offset += size
    keys, values, real, imag, memory = sections
    return Outcome(
        counts=_counts(_lines(keys, outcomes), _natural(_integers(values))),
        execution_time_ms=_milliseconds(time_ms),
        statevector=Statevector(_floats(real), _floats(imag)) if has_state else None,
        memory=None if shots is None else tuple(_lines(memory, shots)),
        metadata=_mapping(metadata),
    )


def _bounded(text: bytes) -> bytes:
    if len(text) > MAX_JSON:
        raise ValueError("the JSON is too long")
    return text


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


def _integers(data: bytes) -> Sequence[int]:
    values = array("q")
    values.frombytes(data)
    return values


def _natural(counts: Sequence[int]) -> Sequence[int]:
    if counts and min(counts) < 0:
        raise ValueError("a negative count")
    return counts


def _floats(data: bytes) -> tuple[float, ...]:
    values = array("d")
    values.frombytes(data)
    return tuple(values)


def _milliseconds(value: Any) -> float:
    """Return the duration of a run, which its account is charged for."""
    milliseconds = float(value)
    if not 0 <= milliseconds < math.inf:
        raise ValueError("invalid execution time")
    return milliseconds


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("metadata is not a mapping")
    return cast("dict[str, object]", value)
