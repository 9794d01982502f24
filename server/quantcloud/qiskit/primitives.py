"""Qiskit's primitives. A PUB is one job of the server."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportIncompatibleMethodOverride=false

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import (
    BaseEstimatorV2,
    BaseSamplerV2,
    BindingsArray,
    BitArray,
    DataBin,
    PrimitiveResult,
    PubResult,
    SamplerPubResult,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike
from qiskit.quantum_info import SparseObservable

from quantcloud.client import Client, Result
from quantcloud.qiskit.export import Program, export
from quantcloud.qiskit.jobs import Jobs, PrimitiveJob
from quantcloud.qiskit.provider import Backend

_SHOTS = 1024
Numbers = NDArray[Any]


class _Primitive:
    def __init__(
        self, backend: Backend | str | None, client: Client | None, fields: Mapping[str, Any]
    ) -> None:
        self._fields = dict(fields)
        if isinstance(backend, Backend):
            provider: Any = backend.provider
            client = client or provider.client
            backend = backend.name
        if backend is not None:
            self._fields["backend"] = backend
        self._client = client or Client()


class SamplerV2(_Primitive, BaseSamplerV2):
    """A sampler on a server.

    `backend` is a `Backend` or its name; without one, the server chooses. `fields` are arguments
    of each run, as `quantcloud.Client.run` has them, such as `seed`, `noise` and `optimize_for`.
    Server and token are those of `client`, or are found as `quantcloud.Client` finds them.
    Raises `NotConfigured`.
    """

    def __init__(
        self,
        backend: Backend | str | None = None,
        *,
        default_shots: int = _SHOTS,
        client: Client | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(backend, client, fields)
        self.default_shots = default_shots

    def run(
        self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None
    ) -> PrimitiveJob[PrimitiveResult[SamplerPubResult]]:
        """Submit a job for each PUB, all or none.

        Raises `ValueError` for a circuit that the server has no form of, and `QuantCloudError`.
        """
        coerced = [SamplerPub.coerce(pub, shots or self.default_shots) for pub in pubs]
        programs = [export(pub.circuit) for pub in coerced]
        for place, program in enumerate(programs):
            if not program.registers:
                warnings.warn(
                    f"The {place}-th pub's circuit has no output classical registers and so the "
                    "result will be empty. Did you mean to add measurement instructions?",
                    UserWarning,
                    stacklevel=2,
                )
        items = [
            {
                **self._fields,
                "circuit": program.qasm,
                "parameters": _values(program, pub.parameter_values),
                "shots": pub.shots,
                "packed": True,
            }
            for pub, program in zip(coerced, programs, strict=True)
        ]

        def read(results: list[Result]) -> PrimitiveResult[SamplerPubResult]:
            found = map(_samples, coerced, programs, results)
            return PrimitiveResult([*found], metadata={"version": 2})

        return PrimitiveJob(Jobs.submitted(self._client, items), read)


class EstimatorV2(_Primitive, BaseEstimatorV2):
    """An estimator on a server.

    Values are exact unless there is a precision, which is the wanted standard error, or `fields`
    has `shots`. The other arguments are those of `SamplerV2`. Raises `NotConfigured`.
    """

    def __init__(
        self,
        backend: Backend | str | None = None,
        *,
        default_precision: float = 0.0,
        client: Client | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(backend, client, fields)
        self.default_precision = default_precision

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Submit a job for each PUB, all or none.

        Raises `ValueError` for a circuit that the server has no form of, and `QuantCloudError`.
        """
        wanted = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, wanted) for pub in pubs]
        items: list[Mapping[str, Any]] = []
        places: list[_Places] = []
        for pub in coerced:
            program, place = export(pub.circuit), _Places(pub)
            item = {
                **self._fields,
                "circuit": program.qasm,
                "parameters": _values(program, pub.parameter_values, place.points),
                "observables": place.observables(),
                "pairing": "zip" if place.zipped else "outer",
            }
            if pub.precision:
                # The precision decides on the shots.
                item = {**item, "precision": pub.precision, "shots": None}
            items.append(item)
            places.append(place)

        def read(results: list[Result]) -> PrimitiveResult[PubResult]:
            found = map(_estimates, coerced, places, results)
            return PrimitiveResult([*found], metadata={"version": 2})

        return PrimitiveJob(Jobs.submitted(self._client, items), read)


def _values(
    program: Program, bindings: BindingsArray, points: Sequence[int] | None = None
) -> dict[str, Numbers]:
    """Return the values of the inputs at all points, or at some by their numbers."""
    if not program.parameters:
        return {}
    known = {
        name: values[..., place].ravel()
        for names, values in bindings.data.items()
        for place, name in enumerate(names)
    }
    each = {name: known[parameter.name] for name, parameter in program.parameters.items()}
    return each if points is None else {name: found[points] for name, found in each.items()}


def _samples(pub: SamplerPub, program: Program, result: Result) -> SamplerPubResult:
    packed = result.sweep.registers if result.sweep else {}
    arrays: dict[str, BitArray] = {}
    for name, register in program.registers.items():
        shape: Any = (*pub.shape, pub.shots, -(-register.size // 8))
        data = np.frombuffer(packed[name][1] if register.size else b"", np.uint8)
        arrays[register.name] = BitArray(data.reshape(shape), register.size)
    return SamplerPubResult(
        DataBin(**arrays, shape=pub.shape),
        metadata={
            "shots": pub.shots,
            "circuit_metadata": pub.circuit.metadata,
            "job_id": result.job_id,
        },
    )


class _Places:
    """Which values of a job are those of a PUB: of observable i at point k."""

    def __init__(self, pub: EstimatorPub) -> None:
        bindings, observables = pub.parameter_values, pub.observables
        self._pub = pub
        point = np.arange(bindings.size).reshape(bindings.shape)
        observable = np.arange(observables.size).reshape(observables.shape)
        both = np.broadcast_arrays(point, observable)
        self._point, self._observable = (each.ravel() for each in both)
        self.zipped = self._point.size < bindings.size * observables.size
        self.points = [*self._point] if self.zipped else None

    def observables(self) -> list[dict[str, float]]:
        """Return the observables of the job."""
        array = self._pub.observables.sparse_observables_array().ravel()
        each = [_terms(one) for one in array]
        return [each[place] for place in self._observable] if self.zipped else each

    def of(self, rows: Numbers) -> Numbers:
        """Return the values of the PUB from those of the job: points x observables."""
        found = rows[:, 0] if self.zipped else rows[self._point, self._observable]
        return found.reshape(self._pub.shape)


def _terms(observable: SparseObservable) -> dict[str, float]:
    terms = observable.as_paulis().simplify().to_sparse_list()
    return {
        " ".join(f"{letter}{qubit}" for letter, qubit in zip(letters, qubits, strict=True)): float(
            np.real(coefficient)
        )
        for letters, qubits, coefficient in terms
    } or {"": 0.0}


def _estimates(pub: EstimatorPub, places: _Places, result: Result) -> PubResult:
    sweep: Any = result.sweep
    values, errors = sweep.expectation_values, sweep.standard_errors
    stds = places.of(errors) if errors.size else np.zeros(pub.shape)
    return PubResult(
        DataBin(evs=places.of(values), stds=stds, shape=pub.shape),
        metadata={
            "target_precision": pub.precision,
            "circuit_metadata": pub.circuit.metadata,
            "job_id": result.job_id,
        },
    )
