"""One command's client, and how it prints."""

import json
import sys
from pathlib import Path
from typing import Any, Self

from google.protobuf.message import Message

from quantcloud.cli import failure
from quantcloud.cli.failure import Failure
from quantcloud.cli.tables import stdout
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
from quantcloud.client.calls import RETRY_SECONDS
from quantcloud.client.plain import as_dict

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
        self, server: str | None, token: str | None, *, as_json: bool, quiet: bool
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet or as_json
        self.console = stdout()
        self._server, self._token = server, token
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
                retry_seconds=self.retry_seconds,
                on_wait=self._say_wait,
            )
        return self._client

    def say(self, text: str) -> None:
        """Tell a person something that is no part of the answer."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")

    def answer(self, content: Any, *shown: Any) -> None:
        """Print the answer: `content` as JSON, or `shown` for people."""
        if self.as_json:
            sys.stdout.write(f"{json.dumps(content, default=_plain)}\n")
            sys.stdout.flush()
            return
        for each in shown:
            if each is not None:
                self.console.print(each)

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
    return error.hint[:1].lower() + error.hint[1:].rstrip(".")


def one_line(error: Exception) -> str:
    """Return the text of an error without line breaks."""
    return " ".join(str(error).split())


def used_of(used: float, limit: float | None) -> str:
    """Return what is used of a limit. None means no limit."""
    return f"{round(used, 4):.6g} of {'any number' if limit is None else f'{limit:.6g}'}"


def read_circuit(file: Path) -> str:
    """Return the text of a circuit's file, or of standard input for `-`. Raises `Failure`."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text") from error


def read_json(option: str, text: str | None) -> dict[str, Any]:
    """Return a JSON object that an option has, or the file that it names. Raises `Failure`."""
    if text is None:
        return {}
    try:
        source = text if text.lstrip().startswith("{") else Path(text).read_text("utf-8")
        found = json.loads(source)
    except OSError as error:
        raise Failure(
            f"{option}: cannot read {text}: {error.strerror}", failure.WRONG_USE
        ) from error
    except ValueError as error:
        raise Failure(f"{option}: is no JSON: {error}", failure.WRONG_USE) from error
    if not isinstance(found, dict):
        raise Failure(f"{option}: must be a JSON object", failure.WRONG_USE)
    return found  # pyright: ignore[reportUnknownVariableType]  # the keys of JSON are texts


def _plain(value: object) -> Any:
    return as_dict(value) if isinstance(value, Message) else str(value)
