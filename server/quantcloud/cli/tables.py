"""Tables for a terminal."""

import sys
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# Wider than any table.
_WIDE = 1000


def stdout() -> Console:
    """Return the console of standard output. Lines in a file or a pipe are not folded."""
    return Console(width=None if sys.stdout.isatty() else _WIDE)


class List(Table):
    """A table with headings. Where it is so narrow that words would break, it prints each row as
    lines of text.
    """

    def add(self, *values: object, style: str | None = None) -> None:
        """Add a row. None is an empty cell."""
        self.add_row(*map(_cell, values), style=style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = self.__rich_measure__(console, options.update_width(_WIDE)).minimum
        if needed <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title), style="bold")
        headings = [str(column.header) for column in self.columns]
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            first, *others = map(str, cells)
            yield Text.from_markup(first, style="bold")
            given = [
                f"{name}: {value}"
                for name, value in zip(headings[1:], others, strict=True)
                if value
            ]
            yield Padding("; ".join(given), (0, 0, 0, 2))


def table(*headings: str, title: str | None = None) -> List:
    """Return a table for a list."""
    made = List(
        box=None, pad_edge=False, header_style="bold",
        title=title, title_justify="left", title_style="bold",
    )  # fmt: skip
    for number, each in enumerate(headings):
        # The first column has what people copy, such as an id.
        made.add_column(escape(each), overflow="fold", no_wrap=number == 0)
    return made


def details(rows: Mapping[str, object]) -> Table:
    """Return a table of names and values, without those that are empty."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in rows.items():
        if value not in (None, "", []):
            made.add_row(name, _cell(value))
    return made


def minute(at: datetime) -> str:
    """Return a time for people, in their time zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def seconds(value: float) -> str:
    """Return a duration for people."""
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 60 else f"{value / 60:.3g} min"  # noqa: PLR2004


def used_of(used: float, limit: float | None) -> str:
    """Return what is used of a limit. None means no limit."""
    return f"{round(used, 4):.6g} of {'any number' if limit is None else f'{limit:.6g}'}"


def _cell(value: object) -> str | Text:
    """Return a value as a cell. A text is shown as it is, brackets too."""
    if isinstance(value, Text):
        return value
    return "" if value is None else escape(str(value))
