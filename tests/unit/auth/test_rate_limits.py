"""Rate limits: as many requests per minute as allowed, in memory and in Redis."""

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.auth.limits import rate_limits
from quantcloud.auth.limits.rate_limits import Counter, RequestLimits, refuse
from quantcloud.auth.limits.windows import MemoryWindows
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.errors import RateLimited
from quantcloud.settings import DEFAULT_TIERS
from support.external import redis

START = datetime(2025, 3, 31, 23, 59, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


async def granted(counter: Counter, number: int, limit: int, who: str = "ada") -> int:
    """Return how many of `number` concurrent requests are granted."""
    taken = await asyncio.gather(*(counter.take("x", who, limit) for _ in range(number)))
    return sum(allowance.granted for allowance in taken)


async def test_of_a_hundred_concurrent_requests_only_the_limit_is_granted_in_each_window():
    clock = Clock()
    counter = Counter(clock)
    assert await granted(counter, 100, 30) == 30
    clock.now += MINUTE
    assert await granted(counter, 100, 30) == 0  # to the microsecond
    clock.now += timedelta(microseconds=1)
    assert await granted(counter, 100, 30) == 30


async def test_the_window_moves_and_reports_what_is_left():
    clock = Clock()
    counter = Counter(clock)
    for number in range(3):
        allowance = await counter.take("x", "ada", 3)
        assert (allowance.granted, allowance.remaining) == (True, 2 - number)
        clock.now += timedelta(seconds=10)
    refused = await counter.take("x", "ada", 3)
    assert (refused.granted, refused.remaining) == (False, 0)
    assert refused.reset_at == START + MINUTE
    assert refused.reset_after == timedelta(seconds=30)
    error = refuse(refused, "requests")
    assert error.retry_after == timedelta(seconds=30)
    assert "try again in 30 s" in error.message
    clock.now = START + MINUTE + timedelta(microseconds=1)
    assert (await counter.take("x", "ada", 3)).granted  # in place of the first one
    assert not (await counter.take("x", "ada", 3)).granted


async def test_each_caller_and_each_limit_has_its_own_count():
    counter = Counter(Clock())
    assert await granted(counter, 9, 3) == 3
    assert await granted(counter, 9, 3, "bob") == 3
    assert (await counter.take("y", "ada", 3)).granted
    # A name that looks like another caller's key has its own count.
    assert (await counter.take("x", "ada/3/1/minute", 3)).granted


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=80))
def test_a_window_never_grants_more_than_its_limit(steps: list[tuple[int, str]]):
    """Compare with a model that keeps every request."""
    now = 0.0
    windows = MemoryWindows(lambda: now)
    passed: dict[str, deque[float]] = {"a": deque(), "b": deque()}

    async def run() -> None:
        nonlocal now
        for pause, who in steps:
            now += pause
            recent = sum(at >= now - 60 for at in passed[who])
            assert await windows.acquire_entry(who, 4, 60) == (recent < 4)
            if recent < 4:
                passed[who].append(now)
            counted = [at for at in passed[who] if at >= now - 60]
            assert len(counted) <= 4
            assert await windows.get_moving_window(who, 4, 60) == (counted[0], len(counted))

    asyncio.run(run())


async def test_expired_windows_take_no_memory():
    now = 0.0
    windows = MemoryWindows(lambda: now)
    for number in range(10_000):
        now += 1
        await windows.acquire_entry(f"address-{number}", 5, 60)
    assert len(windows) <= 62


def limits(clock: Clock, **settings: int) -> RequestLimits:
    return RequestLimits(
        Counter(clock), DEFAULT_TIERS.__getitem__,
        **{"anonymous": 0, "failed_logins": 0, **settings},
    )  # fmt: skip


@pytest.mark.parametrize(("tier", "most"), [(Tier.EXPLORER, 30), (Tier.DEVELOPER, 120)])
async def test_an_account_has_the_requests_of_its_tier(tier: Tier, most: int):
    subject = limits(Clock())
    account = Account("ada", tier, START)
    taken = [await subject.account(account) for _ in range(most + 1)]
    assert [allowance.granted for allowance in taken if allowance] == [True] * most + [False]


async def test_the_enterprise_tier_and_a_limit_of_0_have_no_limit():
    subject = limits(Clock())
    account = Account("ada", Tier.ENTERPRISE, START)
    for _ in range(1000):
        assert await subject.account(account) is None
        await subject.anonymous("1.2.3.4")
        await subject.failed_login("1.2.3.4")


async def test_requests_without_credentials_are_limited_by_address_and_health_separately():
    subject = limits(Clock(), anonymous=5, failed_logins=2)
    for _ in range(5):
        await subject.anonymous("1.2.3.4")
    with pytest.raises(RateLimited, match="without credentials from this address: the limit is 5"):
        await subject.anonymous("1.2.3.4")
    await subject.anonymous("1.2.3.4", health=True)
    await subject.anonymous("1.2.3.5")
    for _ in range(2):
        await subject.failed_login("1.2.3.4")
    with pytest.raises(RateLimited, match="failed logins"):
        await subject.failed_login("1.2.3.4")


@pytest.mark.parametrize(
    "url", ["http://localhost", "memory://", "localhost:6379", "redis://:hunter2@[::1/0"]
)
def test_a_bad_url_is_refused_and_not_repeated(url: str):
    with pytest.raises(ValueError, match="QUANTCLOUD_RATE_LIMIT_URL") as refused:
        Counter(Clock(), url)
    assert "hunter2" not in str(refused.value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    binary = redis.find()
    if binary is None:
        pytest.skip("there is no redis-server on this machine")
    with redis.Redis(binary, tmp_path) as running:
        yield running


async def test_servers_share_a_count_in_redis(server: redis.Redis):
    counters = [Counter(Clock(), server.url) for _ in range(2)]
    passed = await asyncio.gather(*(granted(counter, 50, 30) for counter in counters))
    assert sum(passed) == 30
    allowance = await counters[0].take("x", "ada", 30)
    assert (allowance.granted, allowance.remaining) == (False, 0)
    assert timedelta() < allowance.reset_after <= MINUTE
    assert allowance.reset_at > datetime.now(UTC)
    for counter in counters:
        await counter.close()


async def test_without_redis_a_server_counts_by_itself_until_redis_returns(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limits, "_REDIS_PAUSE_SECONDS", 0.0)
    counter = Counter(Clock(), server.url)
    assert await granted(counter, 10, 30) == 10
    server.stop()
    assert await granted(counter, 100, 30) == 30
    server.start()  # with empty windows
    assert await granted(counter, 100, 30) == 30
    await counter.close()


async def test_a_clock_that_is_set_back_locks_no_caller_out():
    now = 10_000.0
    windows = MemoryWindows(lambda: now)
    for _ in range(2):
        assert await windows.acquire_entry("key", 2, 60)
    assert not await windows.acquire_entry("key", 2, 60)
    now -= 3600.0
    assert await windows.acquire_entry("key", 2, 60)
    assert await windows.get_moving_window("key", 2, 60) == (now, 1)


async def test_a_request_costs_the_same_for_many_callers():
    """The library's own storage asks a thread for each caller after each request."""
    windows = MemoryWindows(lambda: 0.0)
    for number in range(1000):
        await windows.acquire_entry(f"address-{number}", 5, 60)
    assert asyncio.all_tasks() == {asyncio.current_task()}
