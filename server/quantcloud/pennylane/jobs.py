"""Circuits of a batch as jobs. Circuits that differ only in angles are points of one job."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quantcloud.client import Client, Result
from quantcloud.pennylane.circuits import Template

_BATCH = 1000
# Each tier allows as many points of a job.
_POINTS = 100
Point = Mapping[str, Any]
"""What a job has computed for a circuit, by the names of the fields of `SweepPoint`, also `samples`
(shots x bits, the most significant bit first) and `statevector`.
"""


@dataclass
class _Job:
    fields: Mapping[str, Any]
    templates: list[Template] = field(default_factory=list[Template])

    def item(self) -> dict[str, Any]:
        """Return the job as an item of `Client.batch`."""
        rows = np.array([each.angles for each in self.templates])
        differ = (rows != rows[0]).any(axis=0)
        inputs = {*np.flatnonzero(differ).tolist(), *self.fields["inputs"]}
        rest = {name: value for name, value in self.fields.items() if name != "inputs"}
        values = {f"p{place}": rows[:, place] for place in inputs}
        text = self.templates[0].text(inputs)
        if not values and len(rows) > 1 and self.fields.get("packed"):
            # Equal circuits have samples of their own. Exact values are shared.
            text = text.replace("qubit[", "input float[64] point;\nqubit[", 1)
            values = {"point": np.zeros(len(rows))}
        return {**rest, "circuit": text, **({"parameters": values} if values else {})}

    def points(self, result: Result) -> Sequence[Point]:
        """Return what the job has computed, for each circuit."""
        if result.statevector is not None:
            return [{"statevector": result.statevector}]
        sweep: Any = result.sweep
        found = [_point(each) for each in sweep.message.points]
        for num_bits, data in sweep.registers.values():
            bits = np.unpackbits(np.frombuffer(data, np.uint8))
            size = -(-num_bits // 8) * 8
            samples = bits.reshape(len(found), -1, size)[..., size - num_bits :]
            for point, own in zip(found, samples, strict=True):
                point["samples"] = own
        return found if len(found) == len(self.templates) else found * len(self.templates)


def _point(point: Any) -> dict[str, Any]:
    return {
        "values": np.array(point.expectation_values),
        "variances": np.array(point.variances),
        "probabilities": np.array(point.probabilities),
        "gradients": [
            {name: each.values[0] for name, each in gradient.parameters.items()}
            for gradient in point.gradients
        ],
    }


class Jobs:
    """The jobs of one batch of tapes."""

    def __init__(self) -> None:
        self._jobs: dict[Any, _Job] = {}
        self._order: list[_Job] = []
        self._places: list[tuple[_Job, int]] = []

    def add(self, template: Template, inputs: Sequence[int] = (), **fields: Any) -> int:
        """Add a circuit and return its number. `inputs` are the angles that are inputs anyway."""
        key: Any = (template.key, tuple(inputs), repr(fields))
        if fields.get("statevector"):
            key = len(self._places)  # the server gives no statevector for a circuit with inputs
        job = self._jobs.get(key)
        if job is None or len(job.templates) == _POINTS:
            job = self._jobs[key] = _Job({**fields, "inputs": tuple(inputs)})
            self._order.append(job)
        job.templates.append(template)
        self._places.append((job, len(job.templates) - 1))
        return len(self._places) - 1

    def run(
        self, client: Client, fields: Mapping[str, Any], seeds: Iterator[int | None]
    ) -> list[Point]:
        """Run all jobs at once and return what each circuit has, by its number."""
        jobs = self._order
        items = [{**fields, **each.item(), "seed": next(seeds)} for each in jobs]
        batches = [
            client.batch(items[first : first + _BATCH]) for first in range(0, len(items), _BATCH)
        ]
        results = [result for batch in batches for result in batch.results()]
        points = {id(job): job.points(each) for job, each in zip(jobs, results, strict=True)}
        return [points[id(job)][place] for job, place in self._places]
