"""What makes a run a sweep, and the points of its result."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from quantcloud.client.calls import Caller
from quantcloud.client.errors import InvalidRequest
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

Term: TypeAlias = Mapping[str, Any]
"""One of `pauli`, `sparse` and `projector`, and a `coefficient`."""
Observable: TypeAlias = str | Term | Sequence[str | Term]
"""A Pauli string, a term, or the terms of a sum."""


def add_sweep(request: circuit_pb2.RunCircuitRequest, fields: dict[str, Any]) -> None:
    """Move the values of parameters and the observables from the arguments to the request.

    They are added directly, because a conversion from JSON is slow for many numbers. Raises
    `InvalidRequest`.
    """
    field = ""
    try:
        for name, values in (fields.pop("parameters", None) or {}).items():
            field = f"parameters.{name}"
            request.parameters[name].values.extend(_flat(values))
        field, observables = "observables", fields.pop("observables", None) or ()
        for each in [observables] if isinstance(observables, (str, Mapping)) else observables:
            terms = [each] if isinstance(each, (str, Mapping)) else each
            request.observables.add(terms=map(_term, terms))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"{field}: {error}", field=field) from error


def _term(term: str | Term) -> sweep_pb2.Term:
    return sweep_pb2.Term(pauli=term) if isinstance(term, str) else sweep_pb2.Term(**term)


def _flat(values: Any) -> Iterable[float]:
    """Return the numbers of an array, of nested sequences or of one number, row-major."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return (values,)
    return [number for each in values for number in _flat(each)]  # pyright: ignore[reportUnknownVariableType]  # of any nesting


async def with_all_points(caller: Caller, result: job_pb2.JobResult) -> job_pb2.JobResult:
    """Return a result with the points of all its pages."""
    sweep = result.sweep
    data = [[each.data] for each in sweep.registers]
    while sweep.point_offset + len(sweep.points) < sweep.points_done:
        request = job_pb2.GetJobResultRequest(
            id=result.job_id, point_offset=sweep.point_offset + len(sweep.points)
        )
        page = (await caller.call(caller.jobs.GetJobResult, request)).sweep
        sweep.points.extend(page.points)
        for parts, register in zip(data, page.registers, strict=True):
            parts.append(register.data)
    for parts, register in zip(data, sweep.registers, strict=True):
        register.data = b"".join(parts)
    return result
