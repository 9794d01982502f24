"""One command's client, and how it prints."""

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from google.protobuf.message import Message

from quantcloud.cli import failure
from quantcloud.cli.failure import Failure
from quantcloud.cli.tables import List, stdout
from quantcloud.client import (
    Client,
    JobEnded,
    NotConfigured,
    QuantCloudError,
    RateLimited,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
)
from quantcloud.client.messages.plain import as_dict
from quantcloud.client.network.calls import RETRY_SECONDS

_CODES: tuple[tuple[type[QuantCloudError], int], ...] = (
    (JobEnded, failure.NO_RESULT),
    (WaitTimeout, failure.NO_RESULT),
    (Unavailable, failure.NO_SERVER),
    (Unauthenticated, failure.NO_ACCESS),
    (NotConfigured, failure.NO_ACCESS),
)


class Session:
    """The client of a command. Its errors become a `Failure` with one line."""

    def __init__(
        self,
        server: str | None,
        token: str | None,
        *,
        ca_file: str | None = None,
        as_json: bool,
        quiet: bool,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet or as_json
        self.console = stdout()
        self._server, self._token, self._ca_file = server, token, ca_file
        self._client: Client | None = None
        self.retry_seconds = RETRY_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._client is not None:
            self._client.close()
        if isinstance(error, QuantCloudError):
            raise failed(error) from error
        if isinstance(error, OSError) and error.filename:
            raise Failure(f"cannot use {error.filename}: {error.strerror}") from error

    @property
    def client(self) -> Client:
        """The client, made when it is first used. Raises `NotConfigured`."""
        if self._client is None:
            self._client = Client(
                self._server,
                self._token,
                ca_file=self._ca_file,
                retry_seconds=self.retry_seconds,
                on_wait=self._say_wait,
            )
        return self._client

    def say(self, text: str) -> None:
        """Tell a person something that is no part of the answer."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")

    @contextmanager
    def live(self, text: str) -> Generator[Callable[[str], None] | None]:
        """Show a line on a terminal meanwhile. Yields what changes it, or None elsewhere."""
        if self.quiet or not self.console.is_terminal:
            yield None
            return
        with self.console.status(text) as status:
            yield status.update

    def answer(self, content: Any, *shown: Any) -> None:
        """Print the answer: `content` as JSON, or `shown` for people."""
        if self.as_json:
            sys.stdout.write(f"{json.dumps(content, default=_plain)}\n")
            sys.stdout.flush()
            return
        for each in shown:
            if each is not None:
                self.console.print(each)

    def answer_list(self, what: str, found: Sequence[Any], shown: List) -> None:
        """Print a list; say it if it is empty."""
        self.answer(found, shown if found else None)
        if not found:
            self.say(f"no {what}")

    def _say_wait(self, error: QuantCloudError, seconds: float) -> None:
        what = "the rate limit is reached" if isinstance(error, RateLimited) else one_line(error)
        self.say(f"quantcloud: {what}; trying again in {seconds:.3g} s")


def failed(error: QuantCloudError) -> Failure:
    """Return the line and the exit code for an error."""
    hint = f"; {advice(error)}" if error.hint else ""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), failure.REFUSED)
    return Failure(f"{one_line(error)}{hint}", code)


def advice(error: QuantCloudError) -> str:
    """Return what to do about an error, as part of a line."""
    if isinstance(error, Unauthenticated):
        return "give another token, with --token, QUANTCLOUD_TOKEN or `quantcloud login`"
    return error.hint[:1].lower() + error.hint[1:].rstrip(".")


def one_line(error: Exception) -> str:
    """Return the text of an error without line breaks."""
    return " ".join(str(error).split())


def _plain(value: object) -> Any:
    return as_dict(value) if isinstance(value, Message) else str(value)
