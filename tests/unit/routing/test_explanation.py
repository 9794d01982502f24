"""The router's decision in the metadata of a job."""

from quantcloud.domain.backend import BackendInfo
from quantcloud.routing.explanation import explain, with_actual
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


def test_threads_are_explained_unless_there_is_one():
    for threads, named in ((1, {}), (4, {"predicted_threads": 4})):
        method = Method("m", 1, 1.0, parallel=1.0).on(threads)
        offers = [Offer(BackendInfo("runs", "p", 20, ("cx",), "d"), [method])]
        explained = explain(choose(unrouted(), offers, 1 << 30, Weights()))
        for about in (explained, explained["candidates"][0]):
            assert about["predicted_seconds"] == 1 / threads
            assert {key: value for key, value in about.items() if "threads" in key} == named
    ended = with_actual({"routing": {"backend": "runs"}}, 0.5, 4)
    assert ended == {"routing": {"backend": "runs", "actual_seconds": 0.5, "actual_threads": 4}}
    assert "actual_threads" not in with_actual(ended | {"routing": {}}, 0.5, 1)["routing"]
