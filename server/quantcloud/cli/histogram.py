"""Prints counts as bars in a terminal."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

_WIDTH = 40
_ROWS = 16


def histogram(counts: Mapping[str, int]) -> Table:
    """Return the most frequent outcomes in descending order, each with a bar, count and share."""
    shots = sum(counts.values())
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    most = ranked[0][1] if ranked else 1
    for outcome, count in ranked[:_ROWS]:
        bar = Text("█" * max(1, round(_WIDTH * count / most)), style="cyan")
        table.add_row(outcome, bar, str(count), f"{count / shots:.1%}")
    if len(ranked) > _ROWS:
        table.add_row("…", f"{len(ranked) - _ROWS} more outcomes", "", "")
    return table
