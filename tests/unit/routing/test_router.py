"""QuantRouter's choice: filters, scores, reasons, determinism."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.circuits import examine
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size, duration
from quantcloud.routing.router import Demand, Offer, choose
from quantcloud.routing.scores import Weights
from support.circuits import BELL

GIB = 1 << 30


def info(name: str, cost_per_shot: float = 0.0) -> BackendInfo:
    return BackendInfo(name, "p", 20, ("cx",), "d", cost_per_shot=cost_per_shot)


def offer(name: str, seconds: float = 1.0, *, memory: int = 1, wait: float = 0.0,
          cost: float = 0.0, exact: bool = True, double: bool = True,
          fidelity: float = 1.0) -> Offer:  # fmt: skip
    method = Method("m", memory, seconds, exact=exact, double_precision=double, fidelity=fidelity)
    return Offer(info(name, cost), [method], wait_seconds=wait)


def demand(target: OptimizationTarget = OptimizationTarget.SPEED, **fields: object) -> Demand:
    plain = Demand(examine(BELL), 1000, RunOptions(), target)
    return dataclasses.replace(plain, **fields)


def decide(wanted: Demand, *offers: Offer):
    return choose(wanted, offers, GIB, Weights())


def chosen(wanted: Demand, *offers: Offer) -> str | None:
    decision = decide(wanted, *offers)
    return decision.chosen.backend if decision.chosen else None


def test_speed_counts_queue_and_run():
    assert chosen(demand(), offer("slow", 2.0), offer("fast", 1.0)) == "fast"
    assert chosen(demand(), offer("slow", 2.0), offer("busy", 1.0, wait=5.0)) == "slow"


def test_accuracy_prefers_exact_and_double():
    wanted = demand(OptimizationTarget.ACCURACY)
    assert chosen(wanted, offer("a", exact=False), offer("b", double=False)) == "b"
    assert chosen(wanted, offer("a", double=False), offer("b", 100.0)) == "b"
    assert chosen(wanted, offer("a", fidelity=0.5), offer("b", double=False)) == "b"


def test_cost_prefers_the_cheap():
    wanted = demand(OptimizationTarget.COST)
    assert chosen(wanted, offer("dear", 0.1, cost=0.01), offer("free", 9.0)) == "free"


def test_ties_break_by_name():
    for target in OptimizationTarget:
        assert chosen(demand(target), offer("b"), offer("a"), offer("c")) == "a"


@pytest.mark.parametrize(
    ("fields", "candidate", "says"),
    [
        ({"backend": "other"}, offer("a"), "names other"),
        ({"max_cost_usd": 1.0}, offer("a", cost=0.01), "$10.00, more than max_cost_usd $1.00"),
        ({"min_fidelity": 0.9}, offer("a", fidelity=0.5), "below min_fidelity 0.9"),
        ({}, offer("a", memory=16 * GIB), "16 GiB of memory, a run may take 1 GiB"),
        ({}, Offer(info("a"), Refusal("is too wide")), "is too wide"),
    ],
)
def test_a_rejection_says_why(fields: dict[str, object], candidate: Offer, says: str):
    decision = decide(demand(**fields), candidate)
    assert decision.chosen is None
    assert says in (decision.candidates[0].rejection or "")


def test_the_named_backend_is_taken_although_another_is_better():
    assert chosen(demand(backend="slow"), offer("slow", 9.0), offer("fast")) == "slow"


OFFERS = st.lists(
    st.builds(
        offer,
        st.sampled_from("abcdefgh"),
        st.floats(1e-6, 1e3),
        memory=st.integers(1, 4 * GIB),
        wait=st.floats(0, 100),
        cost=st.floats(0, 1),
        exact=st.booleans(),
        double=st.booleans(),
    ),
    unique_by=lambda one: one.info.name,
)


@given(OFFERS, st.sampled_from(OptimizationTarget), st.randoms())
def test_the_same_state_gives_the_same_choice(
    offers: list[Offer], target: OptimizationTarget, rng: random.Random
):
    first = decide(demand(target), *offers)
    shuffled = rng.sample(offers, len(offers))
    assert decide(demand(target), *shuffled) == first
    assert sorted(c.backend for c in first.candidates) == sorted(o.info.name for o in offers)
    scores = [c.score for c in first.candidates if c.method]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert (first.chosen is None) == (not scores)


def test_sizes_are_for_people():
    assert binary_size(1536) == "1.5 KiB"
    assert binary_size(16 * 2**34) == "256 GiB"
    assert binary_size(2**200).endswith("ZiB")
