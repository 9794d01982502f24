"""Explains a decision of the router in the metadata of a job."""

from collections.abc import Mapping, Sequence
from typing import cast

from quantcloud.domain.job import Job
from quantcloud.routing.router import Candidate, Decision


def explain(decision: Decision) -> Mapping[str, object]:
    """Return a decision as the value of a job's `metadata.routing`.

    It leaves out default values, and backends that were not asked.
    """
    chosen = decision.chosen
    method = chosen.method if chosen else None
    return {
        "backend": chosen.backend if chosen else None,
        "method": method.name if method else None,
        "reason": decision.reason,
        "predicted_seconds": method.seconds if method else None,
        **_threads("predicted_threads", method.threads if method else 1),
        "candidates": [_explain_candidate(each) for each in decision.candidates if each.asked],
    }


def with_actual(
    metadata: Mapping[str, object], seconds: float, threads: int
) -> Mapping[str, object]:
    """Return the metadata of a job with its `routing.actual_seconds` and `actual_threads`."""
    copy = dict(metadata)
    if isinstance(routing := copy.get("routing"), Mapping):
        fields = cast("Mapping[str, object]", routing)
        actual = {"actual_seconds": seconds, **_threads("actual_threads", threads)}
        copy["routing"] = {**fields, **actual}
    return copy


def predicted_memory(job: Job) -> int:
    """Return how many bytes the run of a routed job is predicted to need; 0 if unknown."""
    if isinstance(routing := job.metadata.get("routing"), Mapping):
        candidates = cast("Mapping[str, object]", routing).get("candidates", ())
        for each in cast("Sequence[Mapping[str, object]]", candidates):
            if each["backend"] == job.backend:
                return cast("int", each.get("predicted_memory_bytes", 0))
    return 0


def without_candidates(metadata: Mapping[str, object]) -> Mapping[str, object]:
    """Return the metadata of a job without `routing.candidates`, which is most of it."""
    copy = dict(metadata)
    if isinstance(routing := copy.get("routing"), Mapping):
        fields = copy["routing"] = dict(cast("Mapping[str, object]", routing))
        fields.pop("candidates", None)
    return copy


def _explain_candidate(candidate: Candidate) -> Mapping[str, object]:
    method, scores = candidate.method, candidate.scores
    if method is None or scores is None:
        return {"backend": candidate.backend, "rejection": candidate.rejection}
    speed, accuracy, cost, balanced = scores
    fields: dict[str, object] = {
        "backend": candidate.backend,
        "method": method.name,
        "scores": {
            "speed": round(speed, 4),
            "accuracy": round(accuracy, 4),
            "cost": round(cost, 4),
            "balanced": round(balanced, 4),
        },
        "predicted_seconds": method.seconds,
        "predicted_memory_bytes": method.memory_bytes,
        "cost_usd": candidate.cost_usd,
        **_threads("predicted_threads", method.threads),
    }
    if candidate.wait_seconds:
        fields["predicted_wait_seconds"] = candidate.wait_seconds
    if method.fidelity != 1:
        fields["predicted_fidelity"] = method.fidelity
    return fields


def _threads(name: str, number: int) -> Mapping[str, object]:
    return {name: number} if number > 1 else {}
