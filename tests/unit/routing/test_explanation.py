"""What a job's metadata tell of the router's decision."""

from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.openqasm import examine
from quantcloud.routing.explanation import explain
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.router import Demand, Offer, choose
from quantcloud.routing.scores import Weights
from support.circuits import BELL


def told(backend: str | None) -> dict[str, str | None]:
    """The candidates that are told of, and what speaks against each."""
    offers = [
        Offer(BackendInfo("runs", "p", 20, ("cx",), "d"), [Method("m", 1, 1.0)]),
        Offer(BackendInfo("refuses", "p", 20, ("cx",), "d"), Refusal("is asleep")),
    ]
    demand = Demand(examine(BELL), 10, RunOptions(), OptimizationTarget.SPEED, backend)
    explained = explain(choose(demand, offers, 1 << 30, Weights()))
    return {each["backend"]: each.get("rejection") for each in explained["candidates"]}


def test_all_who_were_asked_are_told_of():
    assert told(None) == {"runs": None, "refuses": "is asleep"}


def test_who_was_not_asked_is_not_told_of():
    assert told("runs") == {"runs": None}
    assert told("refuses") == {"refuses": "is asleep"}
