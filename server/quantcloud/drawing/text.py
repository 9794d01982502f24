"""A drawing in box characters. Each wire has three lines, and a classical wire two."""

from typing import Final

from quantcloud.drawing.labels import columns_of
from quantcloud.drawing.layout import Item, Layout

_CROSSED: Final = {"─": "┼", "═": "╪", " ": "│", "│": "│", "┼": "┼", "╪": "╪"}


def text(layout: Layout) -> str:
    """Return a drawing as text that ends with a line feed."""
    return _Page(layout).text()


class _Page:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._tops: list[int] = []
        height = 0
        for wire in layout.wires:
            self._tops.append(height)
            height += 2 if wire.is_classical else 3
        widths = [1] * layout.columns
        for item in layout.items:
            widths[item.column] = max(widths[item.column], _needs(item))
        self._starts: list[int] = []
        self._ends: list[int] = []
        label = max((columns_of(wire.label) for wire in layout.wires), default=0) + 1
        place = label + 1
        for width in widths:
            self._starts.append(place)
            self._ends.append(place + width - 1)
            place += width + 1
        self._lines = [[" "] * place for _ in range(height)]
        self._cut = bool(layout.hidden_instructions)
        for row, wire in enumerate(layout.wires):
            line = "═" if wire.is_classical else "·" if wire.is_rest else "─"
            self._write(self._middle(row), label - 1 - columns_of(wire.label), f"{wire.label} ")
            for x in range(label, place):
                self._lines[self._middle(row)][x] = line

    def _middle(self, row: int) -> int:
        return self._tops[row] + (0 if self._layout.wires[row].is_classical else 1)

    def _write(self, y: int, x: int, text: str) -> None:
        """Write a text. A wide character takes the place of two."""
        for character in text:
            width = columns_of(character)
            if width == 0:
                self._lines[y][x - 1] += character
                continue
            self._lines[y][x] = character
            if width == 2:  # noqa: PLR2004 (columns)
                self._lines[y][x + 1] = ""
            x += width

    def text(self) -> str:
        for item in self._layout.items:
            self._draw(item)
        lines = ["".join(line).rstrip() for line in self._lines]
        if self._cut:
            lines.append(f"… and {self._layout.hidden_instructions} more instructions")
        return "\n".join(line for line in lines).strip("\n") + "\n"

    def _draw(self, item: Item) -> None:
        start, end = self._starts[item.column], self._ends[item.column]
        x = (start + end) // 2
        if item.is_barrier:
            for row in item.dots:
                for y in range(self._tops[row], self._tops[row] + 3):
                    self._lines[y][x] = "░"
            return
        low, high = item.span
        for y in range(self._middle(low) + 1, self._middle(high)):
            self._lines[y][x] = _CROSSED.get(self._lines[y][x], self._lines[y][x])
        if item.mark is not None:
            row, said = item.mark
            sign = "╩" if item.is_measurement else "╬" if said else "■"
            self._lines[self._middle(row)][x] = sign
            self._write(self._middle(row) + 1, x - (columns_of(said) - 1) // 2, said)
        for rows, sign in ((item.dots, "●"), (item.targets, "⊕"), (item.crosses, "×")):  # noqa: RUF001
            for row in rows:
                self._lines[self._middle(row)][x] = sign
        if item.box is not None:
            self._box(item, x)

    def _box(self, item: Item, x: int) -> None:
        first, last = item.box or (0, 0)
        top, bottom = self._tops[first], self._tops[last] + 2
        pin = max((columns_of(pin) for pin in item.pins.values()), default=0)
        inner = columns_of(item.label) + 2 + (pin + 1 if pin else 0)
        left = x - (inner + 1) // 2
        right = left + inner + 1
        for y in range(top, bottom + 1):
            edge = "─" if y in (top, bottom) else " "
            for at in range(left + 1, right):
                self._lines[y][at] = edge
            self._lines[y][left] = self._lines[y][right] = "│"
        for at, (up, down) in ((left, "┌└"), (right, "┐┘")):
            self._lines[top][at], self._lines[bottom][at] = up, down
        for row in range(first, last + 1):
            if not item.pins or row in item.pins:
                y = self._middle(row)
                self._lines[y][left], self._lines[y][right] = "┤", "├"
        for row, number in item.pins.items():
            self._write(self._middle(row), left + 1, number)
        middle = (self._middle(first) + self._middle(last)) // 2
        self._write(middle, left + 2 + (pin + 1 if pin else 0), item.label)
        low, high = item.span
        if low < first:
            self._lines[top][x] = "┴"
        if high > last:
            self._lines[bottom][x] = "╥" if item.mark is not None and item.is_measurement else "┬"


def _needs(item: Item) -> int:
    """How many columns of a terminal an instruction takes."""
    wide = 1
    if item.box is not None:
        pin = max((columns_of(pin) for pin in item.pins.values()), default=0)
        wide = columns_of(item.label) + 4 + (pin + 1 if pin else 0)
    if item.mark is not None:
        wide = max(wide, columns_of(item.mark[1]) + 1)
    return wide + 1 if wide % 2 == 0 else wide
