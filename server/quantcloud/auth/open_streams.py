"""Limits of open streams: an account's watches and streams of circuits, and streams without
credentials.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from quantcloud.auth.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import TooManyStreams

OF_CIRCUITS: Final = 20
"""How many streams of circuits an account may have open. Each watches up to 256 jobs, and may hold
up to 10 MiB of an unfinished request.
"""
ARRIVING: Final = 20
"""How many requests of an account, or of a client address without credentials, this server receives
at once. Each may hold up to 10 MiB while it is unfinished.
"""
UPLOADS: Final = 8
"""How many long JSON bodies of an account Envoy receives at once. It buffers each until it is
complete, up to 8 MiB.
"""
OF_ADDRESS: Final = 100
"""How many streams without credentials a client address may have open."""
OF_ANONYMOUS: Final = 500
"""How many streams without credentials all addresses together may have open."""


class OpenStreams:
    """Counts the open streams of this process. Use it from one event loop only.

    An account may have `of_account` open watches (and calls that wait for a change), and
    `of_circuits` streams of circuits. An address may have `of_address` streams without credentials,
    and all addresses together `of_anonymous`. `arriving` and `uploads` limit how many requests of a
    caller are received at once.
    """

    def __init__(
        self,
        of_account: int,
        of_circuits: int = OF_CIRCUITS,
        of_address: int = OF_ADDRESS,
        of_anonymous: int = OF_ANONYMOUS,
    ) -> None:
        self._accounts = _Count(of_account, "watches of this account")
        self._circuits = _Count(of_circuits, "streams of circuits of this account")
        self._addresses = _Count(of_address, "streams without credentials from this address")
        self._anonymous = _Count(of_anonymous, "streams without credentials")
        self.arriving = ConcurrencyLimits(ARRIVING, "unfinished requests")
        self.uploads = ConcurrencyLimits(UPLOADS, "unfinished requests with a long body")

    @contextmanager
    def watch(self, account_id: str) -> Generator[None]:
        """Count a watch of an account within the context. Raises `TooManyStreams`."""
        with self._accounts.hold(account_id):
            yield

    def open_watch(self, account_id: str) -> None:
        """Count a watch until `close_watch`. Unlike `watch`, this takes no kilobyte per watch.

        Raises `TooManyStreams`.
        """
        self._accounts.acquire(account_id)

    def close_watch(self, account_id: str) -> None:
        self._accounts.release(account_id)

    def circuits(self, account_id: str) -> AbstractContextManager[None]:
        """Count a stream of circuits within the context. Raises `TooManyStreams`."""
        return self._circuits.hold(account_id)

    @contextmanager
    def anonymous(self, address: str) -> Generator[None]:
        """Count a stream without credentials within the context. Raises `TooManyStreams`."""
        with self._addresses.hold(address), self._anonymous.hold(""):
            yield


class _Count:
    """Counts open streams by owner. `what` names in the error what there are too many of."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._open: dict[str, int] = {}

    @contextmanager
    def hold(self, owner: str) -> Generator[None]:
        self.acquire(owner)
        try:
            yield
        finally:
            self.release(owner)

    def acquire(self, owner: str) -> None:
        number = self._open.get(owner, 0) + 1
        if number > self._limit:
            raise TooManyStreams(self._what, self._limit)
        self._open[owner] = number

    def release(self, owner: str) -> None:
        left = self._open.pop(owner) - 1
        if left:
            self._open[owner] = left
