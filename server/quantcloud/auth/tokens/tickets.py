"""Watch tickets: a web page opens a stream of server-sent events with one, because an `EventSource`
cannot send credentials.

A ticket is signed, not stored, so each server of a service accepts it. It is in an address, which
others may log. So it opens one path, within a minute. After that, only a stream that had an event
may connect again. The server recognises that by the header `Last-Event-ID`, which an `EventSource`
sends then. A person with the address and an HTTP client can send the header too: within the hour,
they can read the events of the path.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from quantcloud.auth.principal import Principal
from quantcloud.auth.tokens.signed import SignedTexts
from quantcloud.domain.errors import InvalidArgument, Unauthenticated
from quantcloud.domain.value_object import value_object

HEADER: Final = "x-watch-ticket"
"""Envoy moves the query parameter `ticket` to this header."""
LAST_EVENT_ID: Final = "last-event-id"
_OPENS: Final = timedelta(seconds=60)
_LASTS: Final = timedelta(hours=1)
_PATH: Final = re.compile(r"/v1/jobs/(?:([^/]+)/)?events")
_ADVICE: Final = "create another with POST /v1/auth/watch-tickets"


@value_object
class Ticket:
    """A new ticket: its text, the path that it opens, and until when."""

    text: str
    path: str
    open_before: datetime
    expires_at: datetime


@value_object
class TicketClaims:
    """What a valid ticket says: its path, and the credential that created it.

    `expires_at` is when that credential expires; None for an API key.
    """

    path: str
    account_id: str
    api_key_id: str | None
    expires_at: datetime | None


class Tickets:
    """Signs and verifies tickets with a key derived from `secret`."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._texts = SignedTexts(secret, b"watch tickets", clock)
        self._clock = clock

    def issue(self, principal: Principal, path: str) -> Ticket:
        """Return a ticket for `path` with the rights of `principal`."""
        now = self._clock()
        ends = principal.expires_at
        claims: dict[str, Any] = {"sub": principal.account_id, "path": path}
        if ends is not None:
            claims["ends"] = int(ends.timestamp())
        if principal.api_key_id is not None:
            claims["api_key"] = principal.api_key_id
        expires_at = now + _LASTS
        return Ticket(
            self._texts.sign(claims), path, now + _OPENS, min(expires_at, ends or expires_at)
        )

    def verify(self, ticket: str, *, again: bool) -> TicketClaims:
        """Return what a ticket says. Raises `Unauthenticated` if it is not valid, or too old.

        `again` says that the stream had an event before, and resumes after it.
        """
        try:
            claims, issued_at = self._texts.read(ticket)
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(
                f"ticket: is not a watch ticket of this service; {_ADVICE}",
                reason="INVALID_TICKET",
            ) from error
        age = self._clock() - issued_at
        if age >= _LASTS:
            raise _expired("it is older than an hour")
        if age >= _OPENS and not again:
            raise _expired("it was not used within 60 s")
        ends = claims.get("ends")
        return TicketClaims(
            claims["path"],
            claims["sub"],
            claims.get("api_key"),
            None if ends is None else datetime.fromtimestamp(ends, UTC),
        )


def _expired(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"ticket: has expired, because {why}; {_ADVICE}", reason="TICKET_EXPIRED"
    )


def check_opens(principal: Principal, job_id: str | None) -> None:
    """Raise `Unauthenticated` if the caller has a ticket for another watch than that of a job.

    Without `job_id`, that is the watch of all jobs.
    """
    if principal.ticket_path not in (None, path_of(job_id)):
        raise Unauthenticated(
            f"ticket: opens only GET {principal.ticket_path}; {_ADVICE}", reason="INVALID_TICKET"
        )


def watched_job(path: str) -> str | None:
    """Return the id of the job whose watch has this path; None for the watch of all jobs.

    Raises `InvalidArgument` for any other path.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise InvalidArgument("path", "must be /v1/jobs/events or /v1/jobs/{id}/events")
    return found[1] and found[1].lower()


def path_of(job_id: str | None) -> str:
    """Return the path of the watch of a job, or of all jobs."""
    return "/v1/jobs/events" if job_id is None else f"/v1/jobs/{job_id}/events"
