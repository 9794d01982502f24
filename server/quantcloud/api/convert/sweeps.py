"""Converts what makes a job a sweep, and the points of a result."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, cast

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.api.encoding import delimited, tag, varint
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import SweepPage
from quantcloud.domain.points import PAGE_BYTES
from quantcloud.domain.sweep import Observable, Sweep, Term
from quantcloud.services.sweep_wanted import (
    KEPT,
    KEPT_TERMS,
    VALUE_BYTES,
    Kind,
    SweepWanted,
    WantedObservables,
    WantedTerm,
)
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

# How many numbers are checked at a time: no other thread runs during one step.
_STEP: Final = 1 << 12
_PAIRINGS: Final = (sweep_pb2.Pairing.unspecified, sweep_pb2.Pairing.outer, sweep_pb2.Pairing.zip)


async def sweep_wanted(request: circuit_pb2.RunCircuitRequest) -> SweepWanted:
    """Return what a request asks for; in another thread if it is much. Raises `InvalidArgument`."""
    if not (request.parameters or request.observables):
        return _wanted(request)
    values = sum(len(each.values) for each in request.parameters.values())
    terms = sum(len(each.terms) for each in request.observables)
    cost = Work.READ_VALUES.cost(values) + Work.READ_TERMS.cost(terms)
    return await offload.run(cost, _wanted, request)


def _wanted(request: circuit_pb2.RunCircuitRequest) -> SweepWanted:
    if request.pairing not in _PAIRINGS:
        raise InvalidArgument("pairing", "must be outer or zip")
    return SweepWanted(
        parameters={
            name: _values(f"parameters.{name}.values", given)
            for name, given in request.parameters.items()
        },
        observables=_observables(request),
        zipped=request.pairing == sweep_pb2.Pairing.zip,
        precision=request.precision if request.HasField("precision") else None,
        gradient=request.gradient,
        variances=request.variances,
        probabilities=request.probabilities,
        packed=request.packed,
    )


def _observables(request: circuit_pb2.RunCircuitRequest) -> WantedObservables:
    number = sum(len(each.terms) for each in request.observables)
    if not number or number > KEPT_TERMS:
        return _read(request.observables)
    only = sweep_pb2.SweepRequest(observables=request.observables)
    return _known(only.SerializeToString())


def _read(observables: Sequence[sweep_pb2.Observable]) -> WantedObservables:
    return tuple(
        [
            tuple(
                [
                    _term(f"observables[{place}].terms[{index}]", term)
                    for index, term in enumerate(each.terms)
                ]
            )
            for place, each in enumerate(observables)
        ]
    )


@lru_cache(maxsize=KEPT)
def _known(data: bytes) -> WantedObservables:
    return _read(sweep_pb2.SweepRequest.FromString(data).observables)


def _values(path: str, given: sweep_pb2.ParameterValues) -> bytes:
    """Return numbers as they are in a message: little-endian and next to each other.

    Protobuf's list of numbers takes a hundred times as long to read.
    """
    # Without what a newer client may have sent besides.
    only = sweep_pb2.ParameterValues()
    only.MergeFrom(given)
    only.DiscardUnknownFields()
    number = len(only.values)
    data = only.SerializeToString()[-VALUE_BYTES * number :] if number else b""
    numbers = memoryview(data).cast("d")
    for first in range(0, number, _STEP):
        if not all(map(math.isfinite, numbers[first : first + _STEP])):
            wrong = next(
                place for place in range(first, number) if not math.isfinite(numbers[place])
            )
            raise InvalidArgument(f"{path}[{wrong}]", "must be a finite number")
    return data


def _term(path: str, term: sweep_pb2.Term) -> WantedTerm:
    kind = cast("Kind | None", term.WhichOneof("operator"))
    if kind is None:
        raise InvalidArgument(path, "has no operator; send one of pauli, sparse and projector")
    coefficient = term.coefficient if term.HasField("coefficient") else 1.0
    if not math.isfinite(coefficient):
        raise InvalidArgument(f"{path}.coefficient", "must be a finite number")
    return WantedTerm(kind, getattr(term, kind), coefficient)


def sweep_request(sweep: Sweep) -> sweep_pb2.SweepRequest:
    """Return what a job's request asked for."""
    message = sweep_pb2.SweepRequest(
        observables=[_observable(each) for each in sweep.observables],
        pairing=sweep_pb2.Pairing.zip if sweep.zipped else sweep_pb2.Pairing.outer,
        precision=sweep.precision,
        gradient=sweep.gradient,
        variances=sweep.variances,
        probabilities=sweep.probabilities,
        packed=sweep.packed,
    )
    for parameter in sweep.parameters:
        head = tag(1) + delimited(parameter.values)
        message.parameters[parameter.name].MergeFromString(head)
    return message


def _observable(observable: Observable) -> sweep_pb2.Observable:
    return sweep_pb2.Observable(terms=[_term_message(term) for term in observable.terms])


def _term_message(term: Term) -> sweep_pb2.Term:
    if any(letter in "01" for _, letter in term.factors):
        text = "".join(letter for _, letter in reversed(term.factors))
        return sweep_pb2.Term(projector=text, coefficient=term.coefficient)
    text = " ".join(f"{letter}{qubit}" for qubit, letter in term.factors)
    return sweep_pb2.Term(sparse=text, coefficient=term.coefficient)


def sweep_parts(page: SweepPage) -> Sequence[bytes]:
    """Return the field `sweep` of a result in parts, with a page of its points."""
    inner = [*_inner_parts(page)]
    size = sum(map(len, inner))
    return (tag(job_pb2.JobResult.SWEEP_FIELD_NUMBER) + varint(size), *inner)


def _inner_parts(page: SweepPage) -> Iterator[bytes]:
    points = page.points.page(page.points.first, page.points.last, PAGE_BYTES)
    yield sweep_pb2.SweepResult(
        points_total=page.total, points_done=page.done, point_offset=points.first
    ).SerializeToString()
    # Each point is an entry of the field already.
    yield points.data
    for register in points.registers:
        head = sweep_pb2.PackedRegister(name=register.name, num_bits=register.num_bits)
        described = head.SerializeToString()
        described += tag(sweep_pb2.PackedRegister.DATA_FIELD_NUMBER) + varint(len(register.data))
        size = len(described) + len(register.data)
        yield tag(sweep_pb2.SweepResult.REGISTERS_FIELD_NUMBER) + varint(size) + described
        yield register.data
