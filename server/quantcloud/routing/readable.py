"""Formats sizes and durations for people."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SHORT = 1e-3
_MINUTES_FROM = 120
_MINUTE = 60


def binary_size(count: int) -> str:
    """Return a number of bytes in binary units: 1536 is '1.5 KiB'.

    Four digits tell a need from a limit that is little less.
    """
    if count >> 10 * len(_UNITS):
        return f"2**{count.bit_length() - 1} bytes"
    rank = max(0, (count.bit_length() - 1) // 10)
    size = count / (1 << 10 * rank)
    return f"{size:.4g} {_UNITS[rank]}"


def duration(seconds: float) -> str:
    """Return seconds as text: 0.0123 is '12.3 ms', 90 is '90 s', 600 is '10 min'."""
    if seconds < _SHORT:
        return f"{seconds * 1e3:.2g} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < _MINUTES_FROM:
        return f"{seconds:.3g} s"
    return f"{seconds / _MINUTE:,.0f} min"
