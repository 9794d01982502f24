"""The sweep that a submission asks for."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.backends.result_sizes import MAX_RESULT_BYTES, point_bytes
from quantcloud.backends.simulation.sweep.groups import shots_needed
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.points import MAX_SWEEP_BYTES
from quantcloud.domain.sweep import Observable, Parameter, Sweep, Term
from quantcloud.routing.readable import binary_size
from quantcloud.services.submission import Submission
from quantcloud.services.sweep_wanted import (
    KEPT,
    KEPT_TERMS,
    NO_SWEEP,
    VALUE_BYTES,
    SweepWanted,
    WantedObservables,
    WantedTerm,
)

MAX_TERMS: Final = 10_000
"""The most terms of all observables of a job."""
MAX_SAMPLED_TERMS: Final = 1_000
"""The same if the values are sampled: terms are compared with each other."""
_LETTERS: Final[Mapping[str, str]] = {"pauli": "IXYZ", "projector": "01"}


async def sweep_asked_for(submission: Submission, analysis: Analysis) -> Sweep | None:
    """Return `sweep_of` a submission; in another thread if it has many terms."""
    wanted, shots = submission.sweep, submission.shots
    cost = Work.READ_TERMS.cost(sum(map(len, wanted.observables)))
    return await offload.run(cost, sweep_of, wanted, analysis, shots, submission.options)


def shots_of(sweep: Sweep, shots: int) -> int:
    """Return the shots of each point: 0 if it is exact; `shots` unless there is a precision."""
    if sweep.exact:
        return 0
    return shots if sweep.precision is None else shots_needed(sweep)


def routing_cost(sweep: Sweep | None) -> float:
    """Return the microseconds that the router takes for the terms of a sweep."""
    if sweep is None or sweep.exact:
        return 0.0
    # Terms are compared with each other, to be measured together.
    return Work.COMPARE_TERMS.cost(_terms(sweep.observables) ** 2)


def can_be_sampled(sweep: Sweep) -> bool:
    """Return whether the values of a sweep may be sampled if no backend computes exact ones."""
    return _terms(sweep.observables) <= MAX_SAMPLED_TERMS


def _terms(observables: Sequence[Observable]) -> int:
    return sum(len(each.terms) for each in observables)


def sweep_of(
    wanted: SweepWanted, analysis: Analysis, shots: int | None, options: RunOptions
) -> Sweep | None:
    """Return the sweep that a request asks for; None if it asks for counts at one point.

    `shots` is what the request has. Raises `InvalidArgument` that names the field.
    """
    _check_fields(wanted, analysis, shots, options)
    parameters = _parameters(wanted.parameters, analysis)
    if wanted == NO_SWEEP:
        return None
    points = _points(parameters)
    observables = _observables(wanted.observables, analysis.num_qubits)
    if wanted.zipped and len(observables) != points:
        raise InvalidArgument(
            "observables",
            f"there are {len(observables)} for {points} points; with the pairing 'zip' send one "
            "for each point",
        )
    exact = shots is None and wanted.precision is None
    if not exact and (number := _terms(observables)) > MAX_SAMPLED_TERMS:
        raise InvalidArgument(
            "observables",
            f"have {number} terms together; at most {MAX_SAMPLED_TERMS} are sampled; leave out "
            "'shots' and 'precision' to get exact values",
        )
    return Sweep(
        points=points,
        last=points,
        parameters=parameters,
        observables=observables,
        zipped=wanted.zipped,
        exact=bool(observables) and exact,
        precision=wanted.precision,
        gradient=wanted.gradient,
        variances=wanted.variances,
        probabilities=wanted.probabilities,
        packed=wanted.packed,
    )


def _check_fields(
    wanted: SweepWanted, analysis: Analysis, shots: int | None, options: RunOptions
) -> None:
    """Refuse fields that contradict each other, or the circuit."""
    if wanted.precision is not None and shots is not None:
        raise InvalidArgument("precision", "cannot be combined with 'shots'; send one of them")
    of_observables = {
        "gradient": wanted.gradient,
        "variances": wanted.variances,
        "precision": wanted.precision is not None,
        "pairing": wanted.zipped,
    }
    of_counts = {"packed": wanted.packed, "probabilities": wanted.probabilities}
    if wanted.observables:
        _refuse(of_counts, "cannot be combined with 'observables'")
    else:
        _refuse(of_observables, "needs 'observables'")
    if not analysis.inputs:
        _refuse({"gradient": wanted.gradient}, "needs a circuit with inputs")
    if analysis.has_mid_circuit:
        problem = "needs a circuit without mid-circuit measurement, reset and conditions"
        _refuse({"probabilities": wanted.probabilities}, problem)
    if wanted != NO_SWEEP:
        problem = "cannot be combined with parameters, observables, probabilities or packed"
        _refuse({"options.statevector": options.statevector}, problem)
        _refuse({"options.memory": options.memory}, f"{problem}; 'packed' gives single shots")


def _refuse(fields: Mapping[str, object], problem: str) -> None:
    """Refuse the first field that is set."""
    for name, value in fields.items():
        if value:
            raise InvalidArgument(name, problem)


def _parameters(given: Mapping[str, bytes], analysis: Analysis) -> tuple[Parameter, ...]:
    """Return the values of the circuit's inputs in the order of their declaration."""
    known = {each.name: each for each in analysis.inputs}
    for name in given:
        if name not in known:
            names = f"its inputs are {', '.join(known)}" if known else "it has no inputs"
            raise InvalidArgument(f"parameters.{name}", f"is no input of the circuit; {names}")
    found: list[Parameter] = []
    for name, declared in known.items():
        if name not in given:
            raise InvalidArgument(
                f"parameters.{name}", "is missing; the circuit declares this input"
            )
        number, size = len(given[name]) // VALUE_BYTES, declared.size
        if number == 0 or number % size:
            values = "1 value" if size == 1 else f"{size} values"
            raise InvalidArgument(
                f"parameters.{name}.values",
                f"has {number} values; send {values} for each point",
            )
        found.append(Parameter(name, size, given[name]))
    return tuple(found)


def _points(parameters: Sequence[Parameter]) -> int:
    """Return the number of points: that of each parameter, unless it has 1."""
    points, longest = 1, ""
    for parameter in parameters:
        own = len(parameter.values) // VALUE_BYTES // parameter.size
        if own == 1:
            continue
        if points not in {1, own}:
            raise InvalidArgument(
                f"parameters.{parameter.name}.values",
                f"has {own} points and '{longest}' has {points}; send as many for each, or one",
            )
        points, longest = own, parameter.name
    return points


def _observables(wanted: WantedObservables, qubits: int) -> tuple[Observable, ...]:
    if (number := sum(map(len, wanted))) > MAX_TERMS:
        raise InvalidArgument(
            "observables", f"have {number} terms together; at most {MAX_TERMS} are accepted"
        )
    # An optimiser sends the same observables again and again.
    return (_known if number <= KEPT_TERMS else _read)(wanted, qubits)


def _read(wanted: WantedObservables, qubits: int) -> tuple[Observable, ...]:
    return tuple(
        [
            Observable(
                tuple(
                    [
                        Term(
                            term.coefficient,
                            _factors(term, qubits, f"observables[{place}].terms[{index}]"),
                        )
                        for index, term in enumerate(terms)
                    ]
                )
            )
            for place, terms in enumerate(wanted)
        ]
    )


_known = lru_cache(maxsize=KEPT)(_read)


def _factors(term: WantedTerm, qubits: int, path: str) -> tuple[tuple[int, str], ...]:
    path = f"{path}.{term.kind}"
    if term.kind == "sparse":
        return _sparse_factors(term.text, qubits, path)
    allowed, text = _LETTERS[term.kind], term.text
    if len(text) != qubits:
        raise InvalidArgument(
            path, f"has {len(text)} letters; the circuit has {qubits} qubits, send one for each"
        )
    for letter in text:
        if letter not in allowed:
            listed = ", ".join(allowed)
            raise InvalidArgument(path, f"has the letter {letter!r}; letters are {listed}")
    return tuple([(qubit, each) for qubit, each in enumerate(reversed(text)) if each != "I"])


def _sparse_factors(text: str, qubits: int, path: str) -> tuple[tuple[int, str], ...]:
    factors: dict[int, str] = {}
    for word in text.split():
        letter, number = word[0], word[1:]
        if letter not in "XYZ" or not (number.isascii() and number.isdecimal()):
            raise InvalidArgument(
                path, f"has {word[:20]!r}; send letters X, Y or Z with qubits, such as 'Z0 Z3'"
            )
        # A longer number would take long to read.
        qubit = int(number) if len(number) <= len(str(qubits)) else qubits
        if qubit >= qubits:
            raise InvalidArgument(
                path, f"has the qubit {number[:20]}; the circuit has the qubits 0 to {qubits - 1}"
            )
        if qubit in factors:
            raise InvalidArgument(path, f"has the qubit {qubit} twice")
        factors[qubit] = letter
    return tuple(sorted(factors.items()))


def check_sweep_size(sweep: Sweep, analysis: Analysis, shots: int) -> None:
    """Refuse a sweep whose results are predicted to be too large. Raises `InvalidArgument`."""
    each = point_bytes(sweep, analysis, shots)
    total = each * sweep.points
    # Counts may be fewer than predicted.
    has_counts = not (sweep.observables or sweep.packed or sweep.probabilities)
    if total <= MAX_SWEEP_BYTES and (has_counts or each <= MAX_RESULT_BYTES):
        return
    field = "parameters" if sweep.parameters else "shots"
    for name, wanted in (("probabilities", sweep.probabilities), ("packed", sweep.packed)):
        if wanted:
            field = name
    raise InvalidArgument(
        field,
        f"makes results of {binary_size(total)}, {binary_size(each)} for each of "
        f"{sweep.points} points; the limits are {binary_size(MAX_SWEEP_BYTES)} for all points "
        f"and {binary_size(MAX_RESULT_BYTES)} for one",
        reason="RESULT_TOO_LARGE",
        metadata={"predicted_bytes": str(total), "maximum_bytes": str(MAX_SWEEP_BYTES)},
    )
