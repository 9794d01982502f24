"""QuantRouter's choice: filters, scores, reasons, determinism."""

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.account import MonthlyLimits
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.job import Job, OptimizationTarget
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size, duration
from quantcloud.routing.router import Offer, choose
from quantcloud.routing.scores import Weights
from support.jobs import unrouted

GIB = 1 << 30


def info(name: str, cost_per_shot: float = 0.0) -> BackendInfo:
    return BackendInfo(name, "p", 20, ("cx",), "d", cost_per_shot=cost_per_shot)


def offer(name: str, seconds: float = 1.0, *, memory: int = 1, wait: float = 0.0,
          cost: float = 0.0, exact: bool = True, double: bool = True,
          fidelity: float = 1.0) -> Offer:  # fmt: skip
    method = Method("m", memory, seconds, exact=exact, double_precision=double, fidelity=fidelity)
    return Offer(info(name, cost), [method], wait_seconds=wait)


def decide(wanted: Job, *offers: Offer, **limits: Any):
    return choose(wanted, offers, GIB, Weights(), **limits)


def chosen(wanted: Job, *offers: Offer) -> str | None:
    decision = decide(wanted, *offers)
    return decision.chosen.backend if decision.chosen else None


def test_speed_counts_queue_and_run():
    assert chosen(unrouted(), offer("slow", 2.0), offer("fast", 1.0)) == "fast"
    assert chosen(unrouted(), offer("slow", 2.0), offer("busy", 1.0, wait=5.0)) == "slow"


def test_accuracy_prefers_exact_and_double():
    wanted = unrouted(OptimizationTarget.ACCURACY)
    assert chosen(wanted, offer("a", exact=False), offer("b", double=False)) == "b"
    assert chosen(wanted, offer("a", double=False), offer("b", 100.0)) == "b"
    assert chosen(wanted, offer("a", fidelity=0.5), offer("b", double=False)) == "b"


def test_cost_prefers_the_cheaper_backend():
    wanted = unrouted(OptimizationTarget.COST)
    assert chosen(wanted, offer("dear", 0.1, cost=0.01), offer("free", 9.0)) == "free"


def test_simulator_minutes_count_as_cost_and_hardware_minutes_do_not():
    wanted = unrouted(OptimizationTarget.COST)
    assert chosen(wanted, offer("slow", 60.0), offer("fast", 1.0)) == "fast"
    hardware = dataclasses.replace(info("qpu"), is_simulator=False)
    qpu = Offer(hardware, [Method("m", 1, 600.0)])
    assert chosen(wanted, offer("fast", 1.0), qpu) == "qpu"


def test_ties_by_the_target_break_by_the_balanced_score():
    wanted = unrouted(OptimizationTarget.ACCURACY)
    assert chosen(wanted, offer("a", 9.0), offer("b", 1.0)) == "b"


def test_each_backend_has_all_four_scores():
    decision = decide(unrouted(), offer("a", 0.994, double=False), offer("b", 1.994, cost=0.001))
    first, second = decision.candidates
    assert first.scores == pytest.approx((1.0, 0.9, 0.99834, 0.96983), abs=1e-4)
    assert second.scores == pytest.approx((0.5, 1.0, 0.49917, 0.64992), abs=1e-4)
    assert (first.score, second.score) == pytest.approx((1.0, 0.5))


def test_weights_are_proportions():
    one = choose(unrouted(), [offer("a"), offer("b", 3.0)], GIB, Weights(0.6, 0.3, 0.1))
    other = choose(unrouted(), [offer("a"), offer("b", 3.0)], GIB, Weights(6, 3, 1))
    assert [c.scores for c in one.candidates] == [pytest.approx(c.scores) for c in other.candidates]


def test_a_backends_best_method_depends_on_the_target():
    methods = [Method("exact", 1, 9.0), Method("rough", 1, 1.0, exact=False)]
    both = Offer(info("a"), methods)
    by_speed = decide(unrouted(), both).chosen
    by_accuracy = decide(unrouted(OptimizationTarget.ACCURACY), both).chosen
    assert by_speed is not None
    assert by_accuracy is not None
    assert (by_speed.method, by_accuracy.method) == (methods[1], methods[0])


def test_a_backends_method_is_chosen_by_stated_times_whatever_its_queue():
    quick, slow = Method("quick", 1, 1.0), Method("slow", 1, 2.0)
    # A learnt time, which may differ for a later run with the same seed.
    offered = Offer(info("a"), [quick.lasting(9.0), slow], wait_seconds=100.0)
    for others in ([], [offer("b", 200.0)]):
        chosen = decide(unrouted(OptimizationTarget.SPEED), offered, *others).chosen
        assert chosen is not None
        assert chosen.method is not None
        assert (chosen.backend, chosen.method.name, chosen.method.seconds) == ("a", "quick", 9.0)
    assert quick.lasting(9.0).lasting(8.0).as_stated() == quick._replace(stated_seconds=1.0)


def test_with_a_time_limit_a_method_is_still_chosen_by_stated_times():
    quick, slow = Method("quick", 1, 1.0), Method("slow", 1, 2.0)
    for learnt in (1.0, 9.0):
        offered = Offer(info("a"), [quick.lasting(learnt), slow])
        chosen = decide(unrouted(), offered, time_limit=5.0).chosen
        assert chosen is not None
        assert chosen.method is not None
        assert chosen.method.name == "quick"


def test_the_backends_own_queue_counts():
    hardware = Offer(info("a"), [Method("m", 1, 0.1, wait_seconds=5.0)], wait_seconds=2.0)
    decision = decide(unrouted(), hardware, offer("b", 3.0))
    assert [c.backend for c in decision.candidates] == ["b", "a"]
    assert decision.candidates[1].wait_seconds == 7.0


def test_a_backend_that_would_exceed_the_time_limit_is_rejected():
    wanted = unrouted(OptimizationTarget.ACCURACY)
    late, soon = offer("late", 90.0), offer("soon", 50.0, double=False)
    decision = decide(wanted, late, soon, time_limit=60.0)
    assert decision.chosen is not None
    assert decision.chosen.backend == "soon"
    assert decision.candidates[1].rejection == "is predicted to take 90 s, a run may take 60 s"


def test_the_reason_says_if_all_backends_would_exceed_the_time_limit():
    decision = decide(unrouted(), offer("a", 90.0), offer("b", 600.0), time_limit=60.0)
    assert decision.chosen is not None
    assert decision.chosen.backend == "a"
    assert "90 s, more than the 60 s after which it is stopped" in decision.reason
    assert not any(c.rejection for c in decision.candidates)


def test_a_late_backend_is_preferred_to_a_much_later_one():
    wanted = unrouted(OptimizationTarget.ACCURACY)
    later, late = offer("a", 601.0), offer("b", 600.0, double=False)
    decision = decide(wanted, later, late, time_limit=60.0)
    assert decision.chosen is not None
    assert decision.chosen.backend == "b"
    assert decision.candidates[1].rejection == "is predicted to take 10 min, a run may take 60 s"


def test_a_late_method_does_not_exclude_the_others_of_its_backend():
    methods = [Method("late", 1, 90.0), Method("soon", 1, 9.0, exact=False)]
    wanted = unrouted(OptimizationTarget.ACCURACY)
    chosen = decide(wanted, Offer(info("a"), methods), time_limit=60.0).chosen
    assert chosen is not None
    assert chosen.method == methods[1]


def test_ties_break_by_name():
    for target in OptimizationTarget:
        assert chosen(unrouted(target), offer("b"), offer("a"), offer("c")) == "a"


@pytest.mark.parametrize(
    ("fields", "candidate", "says"),
    [
        ({"requested_backend": "other"}, offer("a"), "names other"),
        ({"max_cost_usd": 1.0}, offer("a", cost=0.01), "$10.00, more than max_cost_usd $1.00"),
        ({"min_fidelity": 0.9}, offer("a", fidelity=0.5), "below min_fidelity 0.9"),
        ({}, offer("a", memory=16 * GIB), "16 GiB of memory, a run may take 1 GiB"),
        ({}, Offer(info("a"), Refusal("is too wide")), "is too wide"),
    ],
)
def test_a_rejection_says_why(fields: dict[str, object], candidate: Offer, says: str):
    decision = decide(unrouted(**fields), candidate)
    assert decision.chosen is None
    assert says in (decision.candidates[0].rejection or "")


def test_the_named_backend_is_chosen_even_if_another_is_better():
    assert chosen(unrouted(requested_backend="slow"), offer("slow", 9.0), offer("fast")) == "slow"


def test_without_a_named_backend_the_choice_is_among_those_that_the_account_can_pay():
    qpu = Offer(dataclasses.replace(info("qpu", 0.001), is_simulator=False), [Method("m", 1, 0.1)])
    free = offer("free", 9.0)
    for left, why in (
        (MonthlyLimits(None, 0, 50.0), "no task left"),
        (MonthlyLimits(None, None, 0.5), "$1.00, more than max_cost_usd $0.50"),
    ):
        decision = decide(unrouted(), qpu, free, left=left)
        assert decision.chosen is not None
        assert decision.chosen.backend == "free"
        assert why in (decision.candidates[1].rejection or "")
        # The refusal of a named backend names the limit itself.
        assert decide(unrouted(requested_backend="qpu"), qpu, left=left).chosen is not None


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
    first = decide(unrouted(target), *offers)
    shuffled = rng.sample(offers, len(offers))
    assert decide(unrouted(target), *shuffled) == first
    assert sorted(c.backend for c in first.candidates) == sorted(o.info.name for o in offers)
    scores = [c.score for c in first.candidates if c.method]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert (first.chosen is None) == (not scores)


def test_durations_are_readable():
    times = (0.0000432, 0.0123, 1.5, 90, 600, 1e6)
    assert [duration(each) for each in times] == [
        "0.043 ms", "12.3 ms", "1.5 s", "90 s", "10 min", "16,667 min",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (16, "16 bytes"),
        (1536, "1.5 KiB"),
        (16 << 25, "512 MiB"),
        (1023 << 20, "1023 MiB"),
        (16 << 34, "256 GiB"),
        (0, "0 bytes"),
        (16 << 60, "16 EiB"),
        (16 << 5001, "2**5005 bytes"),
    ],
)
def test_sizes_are_readable(amount, text):
    assert binary_size(amount) == text
