"""A record of what clients of a service saw while its parts were killed.

Times are seconds since 1970. A job's log holds all its events, read by a new watch at the end. A
view holds the events of one stream of one watcher during the test.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

TERMINAL = frozenset({"completed", "failed", "timeout", "cancelled"})


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a call: the name of its status code, and its message."""

    code: str
    text: str = ""

    @property
    def is_ok(self) -> bool:
        return self.code == "OK"


@dataclass(frozen=True, slots=True)
class Expected:
    """The valid results of a circuit: `shots` outcomes out of `support`."""

    support: frozenset[str]
    shots: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One try to submit. `job` is "" if it was not acknowledged. A key has one circuit."""

    key: str
    expected: Expected
    began: float
    ended: float
    answer: Answer
    job: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """One try to cancel."""

    job: str
    began: float
    ended: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a job in a stream; `counts` is None if it had no result."""

    job: str
    sequence: int
    status: str
    at: float
    reason: str = ""
    counts: Mapping[str, int] | None = None


@dataclass(slots=True)
class View:
    """One stream of one job after a sequence number, or of all jobs if `job` is ""."""

    watcher: str
    job: str
    after: int
    events: list[Event] = field(default_factory=list)
    # None if it is open, or if the watcher closed it.
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, just after `at`; `costs_runs` says whether runs may be lost."""

    what: str
    at: float
    costs_runs: bool


@dataclass(frozen=True, slots=True)
class Final:
    """A job at the end of the test: its log, and its result or None."""

    job: str
    status: str
    log: tuple[Event, ...]
    counts: Mapping[str, int] | None = None
    run_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """The account's charges."""

    jobs: int
    simulator_seconds: float


@dataclass(slots=True)
class History:
    """All requests, answers, events and kills, for one account."""

    submissions: list[Submission] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    finals: dict[str, Final] = field(default_factory=dict)
    # All jobs in the account's listing.
    listed: list[str] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def acknowledged(self) -> dict[str, Expected]:
        """The acknowledged jobs, with the result that each must have."""
        return {s.job: s.expected for s in self.submissions if s.job}

    def summary(self) -> str:
        kinds: dict[str, int] = {}
        for kill in self.kills:
            kinds[kill.what] = kinds.get(kill.what, 0) + 1
        ends: dict[str, int] = {}
        for final in self.finals.values():
            ends[final.status] = ends.get(final.status, 0) + 1
        retries = sum(not s.answer.is_ok for s in self.submissions)
        return (
            f"{len(self.kills)} kills {kinds}, {len(self.acknowledged)} jobs {ends}, "
            f"{retries} submissions repeated, {len(self.views)} streams"
        )

    def dump(self, path: Path) -> None:
        """Write it to a file, to investigate a violation."""
        path.write_text(json.dumps(asdict(self), indent=1, default=sorted))
