"""The claim loop: decides when this server claims jobs, one claim at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from datetime import datetime
from enum import Enum, auto
from typing import Any

import structlog

from quantcloud.aio.retry import RETRY_SECONDS
from quantcloud.domain.account import Tier
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.scheduling.ledger import Ledger
from quantcloud.storage import Claim, ClaimedJobs, Room, Store

log = structlog.stdlib.get_logger(__name__)


class State(Enum):
    """What the loop knows and does.

    In the states from `CLAIMING` to `OVERDUE` a claim is in progress; each later one of them knows
    all that the earlier ones know.
    """

    EMPTY = auto()  # No job waits.
    BACKLOG = auto()  # Jobs may wait for room.
    CLAIMING = auto()
    ROOMIER = auto()  # Since the claim was made, room was given back.
    ARRIVING = auto()  # Since then, a job is being written that the claim may not see.
    STALE = auto()  # Since then, a job was queued that the claim may not have seen.
    OVERDUE = auto()  # Leases that no run holds must be looked for after the claim.
    UNSURE = auto()  # A claim failed, so there may be such leases; wait before the next try.
    DISOWNING = auto()  # Such leases are being given back.
    STOPPED = auto()


class Event(Enum):
    """What happens to the loop."""

    ARRIVAL = auto()  # A job is written in the coming transaction.
    QUEUED = auto()  # A committed job waits.
    ROOM = auto()  # A run ended, or the engine grew.
    ALL = auto()  # The claim took all jobs that wait.
    SOME = auto()  # The claim took jobs and left others.
    NONE = auto()  # The claim took no job and left some.
    DISOWNED = auto()  # Leases that no run held were given back.
    FAILED = auto()  # The claim failed, or leases could not be given back.
    DUE = auto()  # It is time to look for leases that no run holds.
    STOP = auto()


class Step(Enum):
    """What the loop does next."""

    CLAIM_ARRIVALS = auto()  # Claim jobs that arrive in the same transaction.
    CLAIM = auto()
    DISOWN = auto()


_S, _E = State, Event
IN_PROGRESS = (_S.CLAIMING, _S.ROOMIER, _S.ARRIVING, _S.STALE, _S.OVERDUE)
_RAISED = {
    _E.ROOM: _S.ROOMIER, _E.ARRIVAL: _S.ARRIVING, _E.QUEUED: _S.STALE, _E.DUE: _S.OVERDUE,
}  # fmt: skip
# What to do in a state after an event; a state and an event that are not here leave the state.
_NEXT: Mapping[tuple[State, Event], State | Step] = {
    (_S.EMPTY, _E.ARRIVAL): Step.CLAIM_ARRIVALS,
    (_S.EMPTY, _E.QUEUED): Step.CLAIM,
    (_S.EMPTY, _E.DUE): Step.DISOWN,
    (_S.BACKLOG, _E.ARRIVAL): Step.CLAIM,
    (_S.BACKLOG, _E.QUEUED): Step.CLAIM,
    (_S.BACKLOG, _E.ROOM): Step.CLAIM,
    (_S.BACKLOG, _E.DUE): Step.DISOWN,
    **{
        (state, event): later
        for place, state in enumerate(IN_PROGRESS)
        for event, later in _RAISED.items()
        if later in IN_PROGRESS[place + 1 :]
    },
    (_S.CLAIMING, _E.ALL): _S.EMPTY,
    (_S.CLAIMING, _E.NONE): _S.BACKLOG,
    (_S.ROOMIER, _E.ALL): _S.EMPTY,
    (_S.ROOMIER, _E.NONE): Step.CLAIM,
    (_S.ARRIVING, _E.ALL): Step.CLAIM_ARRIVALS,
    (_S.ARRIVING, _E.NONE): Step.CLAIM,
    (_S.STALE, _E.ALL): Step.CLAIM,
    (_S.STALE, _E.NONE): Step.CLAIM,
    **{(state, _E.SOME): Step.CLAIM for state in IN_PROGRESS[:-1]},
    **{(_S.OVERDUE, event): Step.DISOWN for event in (_E.ALL, _E.SOME, _E.NONE)},
    **{(state, _E.FAILED): _S.UNSURE for state in (*IN_PROGRESS, _S.DISOWNING)},
    (_S.UNSURE, _E.DUE): Step.DISOWN,
    (_S.DISOWNING, _E.DISOWNED): Step.CLAIM,
    **{(state, _E.STOP): _S.STOPPED for state in State},
}


def next_state(state: State, event: Event, *, room: bool) -> tuple[State, Step | None]:
    """Return the state after an event, and what to do; `room` says whether a claim has room."""
    following = _NEXT.get((state, event), state)
    if isinstance(following, State):
        return following, None
    if following is Step.DISOWN:
        return State.DISOWNING, following
    return (State.CLAIMING, following) if room else (State.BACKLOG, None)


class ClaimLoop:
    """Claims jobs for `owner`, and calls `begin` with each claim after its commit.

    `held` returns the lease tokens of all runs. `failure` is the error of the last claim, or None
    if it succeeded.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        *,
        owner: str,
        clock: Callable[[], datetime],
        concurrency: Mapping[Tier, int],
        begin: Callable[[Claim], None],
        held: Callable[[], Collection[str]],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._owner = owner
        self._clock = clock
        self._concurrency = concurrency
        self._begin = begin
        self._held = held
        self._state = State.EMPTY
        self._working: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self.failure: Unavailable | Damaged | None = None

    @property
    def no_job_waits(self) -> bool:
        """Whether no job is known to wait."""
        return self._state is State.EMPTY

    def notice(self, event: Event) -> None:
        """Go on after an event. A claim that follows joins the next transaction."""
        before = self._state
        self._state, step = next_state(before, event, room=True)
        if step is Step.DISOWN:
            self._work(self._disown())
        elif step is not None:
            # Most events ask for no claim, and so for no room.
            room = self._ledger.room()
            self._state, _ = next_state(before, event, room=room.places > 0)
            if room.places > 0:
                self._work(self._claim(self._submit(room, step)))

    def _submit(self, room: Room, step: Step) -> Awaitable[ClaimedJobs]:
        # Submitted now, and not by a task later, so that it shares the transaction of a write.
        return self._store.jobs.claim(
            self._owner,
            room,
            self._clock(),
            concurrency=self._concurrency,
            only_arrivals=step is Step.CLAIM_ARRIVALS,
        )

    async def stop(self) -> None:
        """Claim no more. A claim in progress ends first, or its leases would be left behind."""
        self.notice(Event.STOP)
        if self._working is not None:
            await asyncio.wait([self._working])

    def _work(self, work: Coroutine[Any, Any, Event]) -> None:
        async def worked() -> None:
            self.notice(await work)

        self._working = asyncio.ensure_future(worked())

    async def _claim(self, claiming: Awaitable[ClaimedJobs]) -> Event:
        try:
            claimed = await claiming
        except Exception as error:  # noqa: BLE001  # without claims the server does nothing
            return self._fail(error)
        self.failure = None
        self._ledger.note(claimed)
        for claim in claimed:
            self._begin(claim)
        if not claimed.left:
            return Event.ALL
        return Event.SOME if claimed else Event.NONE

    async def _disown(self) -> Event:
        """Give back leases of this server that no run holds. Nothing is claimed meanwhile."""
        try:
            disowned = await self._store.leases.disown(self._owner, self._held(), self._clock())
        except (Unavailable, Damaged) as error:
            return self._fail(error)
        except Exception:
            # Other jobs can still run; the next check tries again.
            log.exception("leases could not be given back")
            return Event.DISOWNED
        for event in disowned:
            log.warning("a lease that no run held was given back", job_id=event.job.id)
        return Event.DISOWNED

    def _fail(self, error: Exception) -> Event:
        """Log a lasting failure once, and try again later."""
        if not isinstance(error, Unavailable | Damaged):
            log.error("claiming failed, trying again", exc_info=error)
        else:
            if self.failure is None or error.reason != self.failure.reason:
                log.warning("claiming failed, trying again", error=error.message)
            self.failure = error
        if self._retry is not None:
            self._retry.cancel()
        loop = asyncio.get_running_loop()
        self._retry = loop.call_later(RETRY_SECONDS, self.notice, Event.DUE)
        return Event.FAILED
