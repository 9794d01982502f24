"""The claim loop: after any sequence of events, no job waits while there is room for it.

A model of the store, the engine and the writer surrounds the states. The test visits every state of
the model that a few jobs can reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from quantcloud.scheduling.claim_loop import IN_PROGRESS, Event, State, Step, next_state

SLOTS = 2
MOST_JOBS = 3


@dataclass(frozen=True)
class World:
    """Numbers of jobs: being written, queued, running, and leased though no run holds them.

    `step` is the work of the loop that has not answered, and `room` what it may claim.
    """

    state: State = State.EMPTY
    step: Step | None = None
    room: int = 0
    writing: int = 0
    queued: int = 0
    running: int = 0
    unheld: int = 0

    def after(self, event: Event) -> "World":
        state, step = next_state(self.state, event, room=self.running < SLOTS)
        if step is None:
            return replace(self, state=state)
        assert self.step is None, "one claim at a time"
        return replace(self, state=state, step=step, room=SLOTS - self.running)

    def arrival(self) -> "World":
        return replace(self, writing=self.writing + 1).after(Event.ARRIVAL)

    def queued_elsewhere(self) -> "World":
        """By another server, or because its lease was lost."""
        return replace(self, queued=self.queued + 1).after(Event.QUEUED)

    def run_ends(self) -> "World":
        ended = replace(self, running=self.running - 1)
        return ended.after(Event.ROOM) if self.running else self

    def commit(self, *, limited: bool, late: bool, ended: bool) -> "World":
        """Write the jobs, and do what the loop has submitted.

        A `limited` claim takes nothing, because the accounts have as many runs as they may. Before
        its answer, a `late` job arrives, or a run has `ended`.
        """
        after = replace(self, queued=self.queued + self.writing, writing=0)
        if self.step is None:
            return after.after(Event.QUEUED) if self.writing else after
        if self.step is Step.DISOWN:
            after = replace(after, queued=after.queued + self.unheld, unheld=0)
            return replace(after.after(Event.QUEUED), step=None).after(Event.DISOWNED)
        visible, claimed = self._claimed(limited=limited)
        after = replace(after, queued=after.queued - claimed)
        if self.writing > claimed:
            after = after.after(Event.QUEUED)
        after = after.arrival() if late else after
        after = after.run_ends() if ended else after
        after = replace(after, step=None, running=after.running + claimed)
        if visible == claimed:
            return after.after(Event.ALL)
        return after.after(Event.SOME if claimed else Event.NONE)

    def fail(self, *, committed: bool) -> "World":
        """Lose the transaction, or only the answer to its commit."""
        after = replace(self, writing=0, step=None)
        if committed:
            claimed = 0 if self.step in (None, Step.DISOWN) else self._claimed(limited=False)[1]
            after = replace(
                after,
                queued=self.queued + self.writing - claimed,
                unheld=self.unheld + claimed,
            )
            if self.writing > claimed:
                after = replace(after, step=self.step).after(Event.QUEUED)
                after = replace(after, step=None) if self.step else after
        return after.after(Event.FAILED) if self.step else after

    def _claimed(self, *, limited: bool) -> tuple[int, int]:
        """Return how many jobs a claim sees, and how many it takes."""
        arrivals = self.step is Step.CLAIM_ARRIVALS
        visible = self.writing if arrivals else self.queued + self.writing
        return visible, 0 if limited and self.running else min(visible, self.room)

    def following(self) -> Iterator["World"]:
        more = self.writing + self.queued + self.running + self.unheld < MOST_JOBS
        if more:
            yield self.arrival()
            yield self.queued_elsewhere()
        yield self.run_ends()
        yield self.after(Event.DUE)
        for limited, late, ended in product((False, True), (False, more), (False, True)):
            yield self.commit(limited=limited, late=late, ended=ended)
        for committed in (False, True):
            yield self.fail(committed=committed)

    def check(self) -> None:
        busy = self.state in IN_PROGRESS or self.state is State.DISOWNING
        assert busy is (self.step is not None)
        if self.state is State.EMPTY and not self.writing:
            assert self.queued == 0
        if self.state is State.BACKLOG and not self.writing:
            assert self.running

    def settled(self) -> "World":
        """Return the world after failures have stopped and all that was to happen has."""
        world = self
        for _ in range(20):
            if world.state is State.UNSURE or (world.unheld and world.step is None):
                world = world.after(Event.DUE)
            world = world.commit(limited=False, late=False, ended=False).run_ends()
        return world


def test_every_job_runs_whatever_happens_before():
    seen, todo = {World()}, [World()]
    while todo:
        for world in todo.pop().following():
            if world not in seen:
                world.check()
                seen.add(world)
                todo.append(world)
    assert {world.state for world in seen} == {*State} - {State.STOPPED}
    for world in seen:
        assert world.settled() == World(room=world.settled().room)


def test_without_room_no_claim_is_made():
    for state, event in product(State, Event):
        assert next_state(state, event, room=False)[1] in (None, Step.DISOWN)


def test_a_loop_that_stopped_does_nothing():
    for state, event in product(State, Event):
        stopped, _ = next_state(state, Event.STOP, room=True)
        assert next_state(stopped, event, room=True) == (State.STOPPED, None)
