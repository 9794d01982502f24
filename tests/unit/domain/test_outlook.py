"""When waiting jobs are likely to start."""

from quantcloud.domain.account import Tier
from quantcloud.domain.outlook import ActiveJob, Outlook, starts

MOST = {Tier.EXPLORER: 1, Tier.DEVELOPER: 9, Tier.ENTERPRISE: 0}


def job(name: str, seconds: float | None = 1, tier: Tier = Tier.DEVELOPER) -> ActiveJob:
    """A job of the account that its name begins with."""
    return ActiveJob(name, name[0], tier, seconds)


def estimate(running: list[ActiveJob], waiting: list[ActiveJob], slots: int = 1):
    return starts(Outlook(running, waiting, 1), slots, MOST.__getitem__)


def test_jobs_start_one_after_the_other():
    assert estimate([], [job("a1", 2), job("a2"), job("a3")]) == {"a1": 0, "a2": 2, "a3": 3}


def test_running_jobs_are_waited_for():
    assert estimate([job("b1", 5)], [job("a1")]) == {"a1": 5}
    assert estimate([job("b1", 5)], [job("a1", 2), job("a2")], slots=2) == {"a1": 0, "a2": 2}
    assert estimate([job("b1", 5), job("b2", 1)], [job("a1")]) == {"a1": 6}


def test_accounts_take_turns():
    waiting = [job("a1"), job("a2"), job("a3"), job("b1")]
    assert estimate([], waiting) == {"a1": 0, "b1": 1, "a2": 2, "a3": 3}


def test_an_account_runs_no_more_at_once_than_its_tier_allows():
    waiting = [job(f"a{number}", 2, Tier.EXPLORER) for number in (1, 2, 3)]
    found = estimate([job("a0", 1, Tier.EXPLORER)], [*waiting, job("b1", 9)], slots=4)
    assert found == {"a1": 1, "a2": 3, "a3": 5, "b1": 0}


def test_what_cannot_be_told_is_left_out():
    assert estimate([], [job("a1")], slots=0) == {}
    assert estimate([job("b1", None)], [job("a1")]) == {}
    assert estimate([], [job("a1", 1), job("a2", None), job("a3")]) == {"a1": 0, "a2": 1}
    assert estimate([], [job("a1", 1, Tier.ENTERPRISE), job("b1")]) == {"b1": 0}
