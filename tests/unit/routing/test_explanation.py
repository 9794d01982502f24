"""The router's decision in the metadata of a job."""

from quantcloud.domain.backend import BackendInfo
from quantcloud.routing.explanation import explain
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.router import Offer, choose
from quantcloud.routing.scores import Weights
from support.jobs import unrouted


def rejections(backend: str | None) -> dict[str, str | None]:
    """The explained candidates, and the rejection of each."""
    offers = [
        Offer(BackendInfo("runs", "p", 20, ("cx",), "d"), [Method("m", 1, 1.0)]),
        Offer(BackendInfo("refuses", "p", 20, ("cx",), "d"), Refusal("is asleep")),
    ]
    explained = explain(choose(unrouted(requested_backend=backend), offers, 1 << 30, Weights()))
    return {each["backend"]: each.get("rejection") for each in explained["candidates"]}


def test_all_backends_that_were_asked_are_explained():
    assert rejections(None) == {"runs": None, "refuses": "is asleep"}


def test_backends_that_were_not_asked_are_left_out():
    assert rejections("runs") == {"runs": None}
    assert rejections("refuses") == {"refuses": "is asleep"}
