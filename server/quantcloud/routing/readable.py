"""Formats sizes and durations for people."""

_BINARY = 1024
_SHORT = 1e-3
_MINUTES_FROM = 120
_MINUTE = 60


def binary_size(count: float) -> str:
    """Return a number of bytes in binary units: 1536 is '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if count < _BINARY:
            return f"{count:.4g} {unit}"
        count /= _BINARY
    return f"{count:.4g} ZiB"


def duration(seconds: float) -> str:
    """Return seconds as text: 0.0123 is '12.3 ms', 90 is '90 s', 600 is '10 min'."""
    if seconds < _SHORT:
        return f"{seconds * 1e3:.2g} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < _MINUTES_FROM:
        return f"{seconds:.3g} s"
    return f"{seconds / _MINUTE:,.0f} min"
