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
        self._client = client or getattr(backend, "client", None) or Client()
        self._fields: dict[str, Any] = {**fields, "backend": getattr(backend, "name", backend)}

    def _submit(self, tasks: Sequence[Task]) -> QuantCloudJob:
        def read(results: list[Result]) -> PrimitiveResult[PubResult]:
            found = [task[1](result) for task, result in zip(tasks, results, strict=True)]
            return PrimitiveResult(found, metadata={"version": 2})

        jobs = submit(self._client, [{**self._fields, **item} for item, _ in tasks])
        return QuantCloudJob(None, jobs, read)


class SamplerV2(_Primitive, BaseSamplerV2):
    """A sampler on a server. It takes 1,024 shots, or `shots`.

    `backend` is a `Backend` or its name; without one, the server chooses. `fields` are arguments
    of each run, as `quantcloud.Client.run` has them. Server and token are those of `client`, or are
    found as `quantcloud.Client` finds them. Raises `NotConfigured`.
    """

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> QuantCloudJob:
        """Submit a job for each PUB: all or none of each 1,000.

        Raises `ValueError` for a circuit that the server has no form of, and `QuantCloudError`.
        """
        wanted = (self._fields.get("shots") or 1024) if shots is None else shots
        coerced = [SamplerPub.coerce(pub, wanted) for pub in pubs]
        if not all(pub.circuit.cregs for pub in coerced):
            warnings.warn("a circuit has no output classical registers, so no result", stacklevel=2)
        return self._submit([*map(_sampling, coerced)])


class EstimatorV2(_Primitive, BaseEstimatorV2):
    """An estimator on a server. Its arguments are those of `SamplerV2`.

    Values are exact unless there are `shots` or a `precision`, which is the wanted standard error.
    """

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> QuantCloudJob:
        """Submit a job for each PUB, and raise errors, as `SamplerV2.run` does."""
        wanted = self._fields.get("precision", 0.0) if precision is None else precision
        return self._submit([_estimating(EstimatorPub.coerce(pub, wanted)) for pub in pubs])


def _sampling(pub: SamplerPub) -> Task:
    text, registers = export(pub.circuit)

    def read(result: Result) -> SamplerPubResult:
        packed = result.sweep.registers if result.sweep else {}
        shape: Any = (*pub.shape, pub.shots, -1)
        arrays: dict[str, BitArray] = {}
        for name, register in registers.items():
            octets = np.frombuffer(packed[name][1] if register.size else b"", np.uint8)
            arrays[register.name] = BitArray(octets.reshape(shape), register.size)
        data = DataBin(**arrays, shape=pub.shape)
        return SamplerPubResult(data, {"shots": pub.shots, **_metadata(pub, result)})

    return {"circuit": text, "parameters": _inputs(pub), "shots": pub.shots, "packed": True}, read


def _estimating(pub: EstimatorPub) -> Task:
    sizes = pub.parameter_values, pub.observables
    numbers = [np.arange(each.size).reshape(each.shape) for each in sizes]
    points, places = np.broadcast_arrays(*numbers)
    inputs = _inputs(pub)
    observables = [*map(_terms, pub.observables.sparse_observables_array().ravel())]
    fields: dict[str, Any] = {"circuit": export(pub.circuit)[0], "pairing": "outer"}
    if points.size < numbers[0].size * numbers[1].size:
        # Not every observable is wanted at every point.
        inputs = {name: column[points.ravel()] for name, column in inputs.items()}
        observables = [observables[place] for place in places.ravel()]
        fields["pairing"] = "zip"
        points, places = np.arange(points.size).reshape(pub.shape), 0
    if pub.precision:
        # The precision decides on the shots.
        fields |= {"precision": pub.precision, "shots": None}

    def read(result: Result) -> PubResult:
        sweep: Any = result.sweep
        values, errors = sweep.expectation_values, sweep.standard_errors
        stds = errors[points, places] if errors.size else np.zeros(pub.shape)
        data = DataBin(evs=values[points, places], stds=stds, shape=pub.shape)
        return PubResult(data, {"target_precision": pub.precision, **_metadata(pub, result)})

    return {**fields, "parameters": inputs, "observables": observables}, read


def _inputs(pub: SamplerPub | EstimatorPub) -> dict[str, Any]:
    """Return the values of the inputs at the PUB's points."""
    values = pub.parameter_values.ravel().as_array(pub.circuit.parameters)
    return {f"p{place}": column for place, column in enumerate(values.T)}


def _metadata(pub: SamplerPub | EstimatorPub, result: Result) -> dict[str, Any]:
    return {"circuit_metadata": pub.circuit.metadata, "job_id": result.job_id}


def _terms(observable: SparseObservable) -> dict[str, float]:
    """Return the Pauli operators of an observable, with their coefficients."""
    terms = observable.as_paulis().simplify().to_sparse_list()
    named = {" ".join(map("{}{}".format, *term)): factor.real for *term, factor in terms}
    return named or {"": 0.0}
