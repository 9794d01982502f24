"""Qiskit's primitives. A PUB is one job of the server."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, PubResult, SamplerPubResult
from qiskit.primitives.containers import BitArray, DataBin, PrimitiveResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike
from qiskit.quantum_info import SparseObservable

from quantcloud.client import Client, Result
from quantcloud.qiskit.backends import Backend, QuantCloudJob, submit
from quantcloud.qiskit.export import export

Task: TypeAlias = tuple[dict[str, Any], Callable[[Result], PubResult]]
"""A PUB as an item of `Client.batch`, and what makes the PUB's result from that of its job."""


class _Primitive:
    def __init__(
        self, backend: Backend | str | None = None, *, client: Client | None = None, **fields: Any
    ) -> None:
        own = backend.client if isinstance(backend, Backend) else None
        self._client = client or own or Client()
        self._fields: dict[str, Any] = {**fields, "backend": getattr(backend, "name", backend)}

    def _submit(self, tasks: Sequence[Task]) -> QuantCloudJob:
        def read(results: list[Result]) -> PrimitiveResult[PubResult]:
            found = [task[1](result) for task, result in zip(tasks, results, strict=True)]
            return PrimitiveResult(found, metadata={"version": 2})

        return submit(self._client, [{**self._fields, **item} for item, _ in tasks], read)


class SamplerV2(_Primitive, BaseSamplerV2):
    """A sampler on a server. It takes 1,024 shots, or `shots`.

    `backend` is a `Backend` or its name; without one, the server chooses. `fields` are arguments
    of each run, as `quantcloud.Client.run` has them, such as `shots`, `seed` and `noise`.
    Server and token are those of `client`, or are found as `quantcloud.Client` finds them.
    Raises `NotConfigured`.
    """

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> QuantCloudJob:
        """Submit a job for each PUB, all or none.

        Raises `ValueError` for a circuit that the server has no form of, and `QuantCloudError`.
        """
        wanted = shots or self._fields.get("shots") or 1024
        coerced = [SamplerPub.coerce(pub, wanted) for pub in pubs]
        if not all(pub.circuit.cregs for pub in coerced):
            missing = "a circuit has no output classical registers: its result will be empty"
            warnings.warn(missing, stacklevel=2)
        return self._submit([*map(_sampling, coerced)])


class EstimatorV2(_Primitive, BaseEstimatorV2):
    """An estimator on a server. Its arguments are those of `SamplerV2`.

    Values are exact unless there is a precision, which is the wanted standard error, or `fields`
    has `precision` or `shots`.
    """

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> QuantCloudJob:
        """Submit a job for each PUB, all or none. Raises what `SamplerV2.run` raises."""
        wanted = self._fields.get("precision", 0.0) if precision is None else precision
        return self._submit([_estimating(EstimatorPub.coerce(pub, wanted)) for pub in pubs])


def _sampling(pub: SamplerPub) -> Task:
    text, registers = export(pub.circuit)

    def read(result: Result) -> SamplerPubResult:
        packed = result.sweep.registers if result.sweep else {}
        arrays: dict[str, BitArray] = {}
        for name, register in registers.items():
            octets = np.frombuffer(packed[name][1] if register.size else b"", np.uint8)
            shape: Any = (*pub.shape, pub.shots, -(-register.size // 8))
            arrays[register.name] = BitArray(octets.reshape(shape), register.size)
        data = DataBin(**arrays, shape=pub.shape)
        return SamplerPubResult(data, {"shots": pub.shots, **_metadata(pub, result)})

    inputs = _inputs(pub)
    return {"circuit": text, "parameters": inputs, "shots": pub.shots, "packed": True}, read


def _estimating(pub: EstimatorPub) -> Task:
    sizes = pub.parameter_values, pub.observables
    numbers = [np.arange(each.size).reshape(each.shape) for each in sizes]
    points, places = np.broadcast_arrays(*numbers)
    # The job has every observable at every point, or as "zip" one observable at each point.
    zipped = points.size < numbers[0].size * numbers[1].size
    observables = [*map(_terms, pub.observables.sparse_observables_array().ravel())]
    item: dict[str, Any] = {
        "circuit": export(pub.circuit)[0],
        "parameters": _inputs(pub, points.ravel() if zipped else slice(None)),
        "observables": [observables[at] for at in places.ravel()] if zipped else observables,
        "pairing": "zip" if zipped else "outer",
    }
    if pub.precision:
        # The precision decides on the shots.
        item |= {"precision": pub.precision, "shots": None}

    def shaped(rows: Any) -> Any:
        return rows.reshape(pub.shape) if zipped else rows[points, places]

    def read(result: Result) -> PubResult:
        sweep: Any = result.sweep
        errors = sweep.standard_errors
        stds = shaped(errors) if errors.size else np.zeros(pub.shape)
        data = DataBin(evs=shaped(sweep.expectation_values), stds=stds, shape=pub.shape)
        return PubResult(data, {"target_precision": pub.precision, **_metadata(pub, result)})

    return item, read


def _inputs(pub: SamplerPub | EstimatorPub, points: Any = slice(None)) -> dict[str, Any]:
    """Return the values of the inputs, at these of the PUB's points."""
    bindings, parameters = pub.parameter_values, pub.circuit.parameters
    values = bindings.as_array(parameters).reshape(bindings.size, len(parameters))[points]
    return {f"p{place}": column for place, column in enumerate(values.T)}


def _metadata(pub: SamplerPub | EstimatorPub, result: Result) -> dict[str, Any]:
    return {"circuit_metadata": pub.circuit.metadata, "job_id": result.job_id}


def _terms(observable: SparseObservable) -> dict[str, float]:
    """Return the Pauli operators of an observable, with their coefficients."""
    terms = observable.as_paulis().simplify().to_sparse_list()
    return {
        " ".join(f"{letter}{qubit}" for letter, qubit in zip(*term, strict=True)): coefficient.real
        for *term, coefficient in terms
    } or {"": 0.0}
