"""Prints counts as bars in a terminal."""

from collections.abc import Mapping

from rich.bar import Bar
from rich.table import Table

from quantcloud.client.messages.results import ranked

_WIDTH = 40
_ROWS = 16
_FEW = 3


def histogram(counts: Mapping[str, int]) -> Table:
    """Return the most frequent outcomes in descending order, each with a bar, count and share."""
    shots = sum(counts.values())
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right", style="bold", overflow="fold", no_wrap=True)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    most = max(counts.values(), default=1)
    for outcome, count in ranked(counts)[:_ROWS]:
        bar = Bar(most, 0, max(count, most / _WIDTH), width=_WIDTH, color="cyan")
        table.add_row(outcome, bar, str(count), f"{count / shots:.1%}")
    if len(counts) > _ROWS:
        table.add_row("…", f"{len(counts) - _ROWS} more outcomes", "", "")
    return table


def most_frequent(counts: Mapping[str, int]) -> str:
    """Return the most frequent outcomes on one line."""
    return ", ".join(f"{outcome}: {count}" for outcome, count in ranked(counts)[:_FEW])
