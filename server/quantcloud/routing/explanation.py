"""A decision in words and figures, as users see it in a job's metadata."""

from collections.abc import Mapping

from quantcloud.routing.router import Candidate, Decision


def explain(decision: Decision) -> Mapping[str, object]:
    """A decision as it stands in a job's `metadata.routing`."""
    chosen = decision.chosen
    method = chosen.method if chosen else None
    return {
        "backend": chosen.backend if chosen else None,
        "method": method.name if method else None,
        "reason": decision.reason,
        "predicted_seconds": method.seconds if method else None,
        "candidates": [_explain_candidate(candidate) for candidate in decision.candidates],
    }


def _explain_candidate(candidate: Candidate) -> Mapping[str, object]:
    if candidate.method is None:
        return {"backend": candidate.backend, "rejection": candidate.rejection}
    return {
        "backend": candidate.backend,
        "method": candidate.method.name,
        "score": round(candidate.score, 6),
        "predicted_seconds": candidate.method.seconds,
        "predicted_memory_bytes": candidate.method.memory_bytes,
        "cost_usd": candidate.cost_usd,
    }
