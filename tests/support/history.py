"""What clients saw of a service that was being killed, as it is judged afterwards.

Times are seconds since 1970. A job's log is its whole story as a fresh watch told it at the end;
a view is what one stream of one watcher told while things happened.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

TERMINAL = frozenset({"completed", "failed", "timeout", "cancelled"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A call's end: the name of its status code, and what came with it."""

    code: str
    text: str = ""

    @property
    def is_ok(self) -> bool:
        return self.code == "OK"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a circuit must give: `shots` outcomes out of `support`."""

    support: frozenset[str]
    shots: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One try to submit; `job` is "" unless it was acknowledged. Tries of one key ask the same."""

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
    """One event of a job as a stream told it; `counts` where it carried a result."""

    job: str
    sequence: int
    status: str
    at: float
    reason: str = ""
    counts: Mapping[str, int] | None = None


@dataclass(slots=True)
class View:
    """One stream: of one job after a sequence number, or of all (`job` is "")."""

    watcher: str
    job: str
    after: int
    events: list[Event] = field(default_factory=list)
    # None while it is open, or when the watcher hung up.
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, just after `at`; `costs_runs` where that may break runs off."""

    what: str
    at: float
    costs_runs: bool


@dataclass(frozen=True, slots=True)
class Final:
    """How a job stood when all was quiet: its log, and its result if it had one."""

    job: str
    status: str
    log: tuple[Event, ...]
    counts: Mapping[str, int] | None = None
    run_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the account was charged."""

    jobs: int
    simulator_seconds: float


@dataclass(slots=True)
class History:
    """All that was asked, answered, seen and killed, for one account."""

    submissions: list[Submission] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    finals: dict[str, Final] = field(default_factory=dict)
    # Every job that the account has, by its own list.
    listed: list[str] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def acknowledged(self) -> dict[str, Expected]:
        """The jobs that an answer named, and what each must give."""
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
        """Keep it for whoever looks into a violation."""
        path.write_text(json.dumps(asdict(self), indent=1, default=sorted))
