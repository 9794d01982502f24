"""The jobs that run and wait, and when those that wait are likely to start."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from quantcloud.domain.account import Tier
from quantcloud.domain.value_object import value_object


class WaitReason(StrEnum):
    """Why the run of a queued job has not started, in the words of the contract."""

    TURN = "turn"
    WORKERS = "workers"
    MEMORY = "memory"
    ACCOUNT = "account"


class Wait(NamedTuple):
    """Why a queued job waits, and when its run is likely to start; None if unknown."""

    reason: WaitReason | None = None
    start: datetime | None = None


class ActiveJob(NamedTuple):
    """A job that waits or runs, and its predicted remaining seconds; None if unknown."""

    id: str
    account_id: str
    tier: Tier
    seconds: float | None


@value_object
class Outlook:
    """The jobs of all accounts: those that run, and those that wait.

    The waiting jobs of an account are in the order of its queue. The accounts are in turn.
    `servers` is the number of servers that run them.
    """

    running: Sequence[ActiveJob]
    waiting: Sequence[ActiveJob]
    servers: int


def full_accounts(outlook: Outlook, concurrency: Callable[[Tier], int]) -> frozenset[str]:
    """Return the accounts that run as many jobs as they may."""
    running = Counter(job.account_id for job in outlook.running)
    return frozenset(
        job.account_id
        for job in outlook.waiting
        if running[job.account_id] >= concurrency(job.tier)
    )


class _Account:
    """The waiting jobs of an account, and when its runs end, as a heap."""

    def __init__(self, most: int) -> None:
        self.jobs: deque[ActiveJob] = deque()
        self.ends: list[float] = []
        self.most = most


def starts(outlook: Outlook, slots: int, concurrency: Callable[[Tier], int]) -> Mapping[str, float]:
    """Return in how many seconds waiting jobs are likely to start, by job id.

    `slots` is the number of runs at a time, `concurrency` the number for one account. Accounts
    take turns. A job is left out if a run before it has no prediction, or if its account may run
    nothing.
    """
    accounts: dict[str, _Account] = {}
    for job in (*outlook.running, *outlook.waiting):
        accounts.setdefault(job.account_id, _Account(concurrency(job.tier)))
    free = [0.0] * slots
    for job in outlook.running:
        if job.seconds is None or not free:
            return {}
        end = heapq.heappop(free) + job.seconds
        heapq.heappush(free, end)
        heapq.heappush(accounts[job.account_id].ends, end)
    for job in outlook.waiting:
        accounts[job.account_id].jobs.append(job)
    return _take_turns([each for each in accounts.values() if each.jobs and each.most], free)


def _take_turns(accounts: Sequence[_Account], free: list[float]) -> Mapping[str, float]:
    """Start the accounts' jobs when slots become free. `free` are these times, as a heap."""
    found: dict[str, float] = {}
    turns = deque(accounts)
    # Accounts with as many runs as they may have: when the first run ends, and a tie-breaker.
    full: list[tuple[float, int, _Account]] = []
    number = 0
    while free and (turns or full):
        now = heapq.heappop(free)
        while full and full[0][0] <= now:
            turns.append(heapq.heappop(full)[2])
        if not turns:
            heapq.heappush(free, full[0][0])
            continue
        account = turns.popleft()
        while account.ends and account.ends[0] <= now:
            heapq.heappop(account.ends)
        if len(account.ends) >= account.most:
            number += 1
            heapq.heappush(full, (account.ends[0], number, account))
            heapq.heappush(free, now)
            continue
        job = account.jobs.popleft()
        found[job.id] = now
        if job.seconds is None:
            return found
        for heap in (free, account.ends):
            heapq.heappush(heap, now + job.seconds)
        if account.jobs:
            turns.append(account)
    return found
