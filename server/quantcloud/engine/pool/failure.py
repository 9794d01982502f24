"""The messages that a user sees when a run fails."""

import re
import signal
from typing import Final

from quantcloud.routing.readable import binary_size

# Longer texts are cut, because a simulator may put a whole circuit into its message.
MAX_LENGTH: Final = 500

_PATH = re.compile(r"(?<![\w.:/])(?:/[\w.@+~-]+){2,}/?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

# What simulators say, apart from MemoryError, when memory is short.
_MEMORY = re.compile(
    r"insufficient memory|not enough memory|out of memory|cannot allocate memory"
    r"|unable to allocate|bad_alloc|bad allocation",
    re.IGNORECASE,
)

# How a library ends if it does not check whether it got the memory that it asked for.
_MEMORY_SIGNALS: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT})

# Errors whose text needs no name before it. The name of any other error is half of the message.
_SELF_EXPLAINING = (ValueError, RuntimeError, NotImplementedError)


def describe(error: BaseException) -> str:
    """Return an exception as one line of at most 500 characters, without control characters.

    Paths are cut to their last part, because users must not learn where the server keeps files.
    """
    name = type(error).__name__
    text = _PATH.sub(lambda found: found.group().rstrip("/").rpartition("/")[2], str(error))
    text = " ".join(_CONTROL.sub(" ", text).split())
    text = text.encode("utf-8", "replace").decode()
    is_plain = isinstance(error, _SELF_EXPLAINING) and not isinstance(error, RecursionError)
    if not text:
        text = name
    elif not is_plain and not type(error).__module__.startswith("quantcloud."):
        text = f"{name}: {text}"
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def bounded(text: str, length: int = MAX_LENGTH) -> str:
    """Cut a text to `length` characters, and replace its control characters except line feeds."""
    lines = (_CONTROL.sub(" ", line) for line in text[:length].split("\n"))
    return "\n".join(lines)


def is_about_memory(error: BaseException) -> bool:
    """Return whether the run failed because it could not get enough memory."""
    return isinstance(error, MemoryError) or _MEMORY.search(str(error)) is not None


def describe_end(status: int, memory_limit: int) -> str:
    """Describe how a worker ended, as a continuation of "the worker ended during the run".

    `status` is its exit status, negative for a signal. `memory_limit` is in bytes.
    """
    if status >= 0:
        return f" with exit status {status}"
    try:
        number = signal.Signals(-status)
    except ValueError:
        return f" by signal {-status}"
    if number not in _MEMORY_SIGNALS:
        return f" by {number.name}"
    limit = binary_size(memory_limit)
    return f" by {number.name}; it may have needed more memory than the {limit} that it may use"
