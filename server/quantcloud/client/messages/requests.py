"""The arguments of a run, and the request that they make."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from quantcloud.client.errors import InvalidRequest
from quantcloud.client.messages.parsing import parse
from quantcloud.client.messages.sweeps import Observable, Values, fill
from quantcloud.client.messages.views import Progress
from thequantcloud.v1 import circuit_pb2, run_options_pb2

Circuit: TypeAlias = str | os.PathLike[str]
"""OpenQASM, or the path of a file with it. A text is never taken for a path."""


class CommonFields(TypedDict, total=False):
    """What each run may have besides its circuit. docs/api.md explains each."""

    shots: int
    backend: str
    optimize_for: str
    max_cost_usd: float
    min_fidelity: float
    name: str
    tags: Sequence[str]
    seed: int
    statevector: bool
    memory: bool
    noise: Mapping[str, Any]
    timeout_seconds: float
    pairing: str
    precision: float
    gradient: bool
    variances: bool
    probabilities: bool
    packed: bool


class RunFields(CommonFields, total=False):
    """What a run may have, with the parameters and the observables of a sweep."""

    parameters: Mapping[str, Values]
    observables: Iterable[Observable]


class SweepFields(CommonFields, total=False):
    """What `AsyncClient.sweep` and `estimate` may have besides, as `AsyncClient.run` has it."""

    timeout: float | None
    progress: Progress | None
    idempotency_key: str | None


class JobFilters(TypedDict, total=False):
    """Which jobs `AsyncClient.jobs` yields, besides those of a status: fields of `ListJobs`."""

    backend: str | None
    tag: str | None
    name_prefix: str | None
    submitted_after: datetime | None
    submitted_before: datetime | None


_KNOWN = RunFields.__optional_keys__
_OPTIONS = run_options_pb2.RunOptions.DESCRIPTOR.fields_by_name


def _text(circuit: Circuit) -> str:
    if isinstance(circuit, os.PathLike):
        return Path(circuit).read_text("utf-8")
    if not isinstance(circuit, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
        raise TypeError(
            f"a circuit is a text or the pathlib.Path of a file, is {type(circuit).__name__}; "
            "quantcloud.qiskit, quantcloud.cirq and quantcloud.pennylane run circuits of frameworks"
        )
    if circuit.endswith((".qasm", ".py")) and len(circuit.split()) == 1:
        raise InvalidRequest(
            f"circuit: {circuit!r} is no circuit; give a file as pathlib.Path({circuit!r})",
            field="circuit",
        )
    return circuit


def run_request(circuit: Circuit, fields: Mapping[str, Any]) -> circuit_pb2.RunCircuitRequest:
    """Return the request for a run.

    Raises `InvalidRequest` if a value has the wrong type, `TypeError` if a name is unknown or the
    circuit is no text and no path, and `OSError` if a file cannot be read.
    """
    content: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _KNOWN:
            close = get_close_matches(name, _KNOWN, n=1)
            raise TypeError(
                f"a run has no argument {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
        if value is not None:
            (options if name in _OPTIONS else content)[name] = value
    parameters, observables = content.pop("parameters", None), content.pop("observables", None)
    content["qasm"] = _text(circuit)
    tags = content.get("tags", ())
    content["tags"] = tags if isinstance(tags, str) else [*tags]
    if options:
        content["options"] = options
    request = parse(content, circuit_pb2.RunCircuitRequest())
    fill(request, parameters, observables)
    return request
