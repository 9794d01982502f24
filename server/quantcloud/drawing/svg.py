"""A drawing as SVG, in the colour of the text around it.

Names of a circuit are only ever text: nothing of a circuit becomes an element or an attribute.
"""

from typing import Final
from xml.sax.saxutils import escape

from quantcloud.drawing.labels import columns_of
from quantcloud.drawing.layout import Item, Layout

_ROW: Final = 46.0
_CLASSICAL_ROW: Final = 34.0
_BOX: Final = 30.0
_GAP: Final = 14.0
_MARGIN: Final = 10.0
_CHARACTER: Final = 7.9
_SMALL_CHARACTER: Final = 6.2
_FONT: Final = 'font-family="ui-monospace, monospace"'


def svg(layout: Layout) -> str:
    """Return a drawing as an SVG document."""
    return _Sheet(layout).document()


def _length(text: str, character: float = _CHARACTER) -> float:
    return character * columns_of(text)


class _Sheet:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parts: list[str] = []
        self._middles: list[float] = []
        y = _MARGIN
        for wire in layout.wires:
            height = _CLASSICAL_ROW if wire.is_classical else _ROW
            self._middles.append(y + height / 2)
            y += height
        self._height = y + _MARGIN
        widths = [0.0] * layout.columns
        for item in layout.items:
            widths[item.column] = max(widths[item.column], _width(item))
        self._label = max((_length(wire.label) for wire in layout.wires), default=0.0) + _MARGIN
        self._centres: list[float] = []
        x = self._label + _GAP
        for width in widths:
            self._centres.append(x + width / 2)
            x += width + _GAP
        self._end = x
        # Where boxes cover each wire.
        self._covered: list[list[tuple[float, float]]] = [[] for _ in layout.wires]

    def document(self) -> str:
        for item in self._layout.items:
            self._draw(item)
        wires = [self._wire(row) for row in range(len(self._layout.wires))]
        width = self._end + _MARGIN
        left = self._layout.hidden_instructions
        if left:
            note = f"… {left} more"
            wires.append(_text(self._end, self._middles[0] - 16, note, anchor="start", small=True))
            width += _length(note, _SMALL_CHARACTER)
        size = f"{width:.0f} {self._height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width:.0f}" '
            f'height="{self._height:.0f}" role="img" fill="none" stroke="currentColor">'
            f"<title>{escape(self._title())}</title><desc>{escape(self._description())}</desc>"
            f"{''.join(wires)}{''.join(self._parts)}</svg>"
        )

    def _title(self) -> str:
        qubits = sum(not wire.is_classical and not wire.is_rest for wire in self._layout.wires)
        qubits += self._layout.hidden_qubits
        return f"Circuit with {qubits} qubit{'' if qubits == 1 else 's'}"

    def _description(self) -> str:
        """Say the instructions in order, for people who do not see the drawing."""
        wires = self._layout.wires
        said: list[str] = []
        for item in self._layout.items[:50]:
            if item.is_barrier:
                said.append("barrier")
                continue
            label = item.label or ("swap" if item.crosses else "X" if item.targets else "Z")
            controls = ", ".join(wires[row].label for row in item.dots)
            rows = [*item.targets, *item.crosses, *(item.pins or sorted(set(item.box or ())))]
            places = ", ".join(wires[row].label for row in rows)
            said.append(
                f"{label} on {places}" + (f" controlled by {controls}" if controls else "")
                if places
                else f"{label} on {controls}"
            )
        return "; ".join(said) + ("; and more" if len(self._layout.items) > 50 else "")  # noqa: PLR2004 (as above)

    def _wire(self, row: int) -> str:
        wire, y = self._layout.wires[row], self._middles[row]
        parts = [_text(self._label - 2, y + 4.5, wire.label, anchor="end")]
        x = self._label + 4
        ends: list[tuple[float, float]] = []
        for left, right in sorted(self._covered[row]):
            ends.append((x, left))
            x = max(x, right)
        ends.append((x, self._end))
        path = "".join(f"M{a:.1f} {{y}}H{b:.1f}" for a, b in ends if b > a)
        dashes = ' stroke-dasharray="2 4"' if wire.is_rest else ""
        offsets = (-1.5, 1.5) if wire.is_classical else (0.0,)
        parts += [
            f'<path d="{path.replace("{y}", f"{y + offset:.1f}")}"{dashes}/>' for offset in offsets
        ]
        return "".join(parts)

    def _draw(self, item: Item) -> None:
        x, draw = self._centres[item.column], self._parts.append
        if item.is_barrier:
            lines = "".join(
                f"M{x:.1f} {self._middles[row] - _ROW / 2:.1f}v{_ROW:.0f}" for row in item.dots
            )
            draw(f'<path d="{lines}" stroke-dasharray="4 4"/>')
            return
        self._line(item, x)
        for row in item.dots:
            draw(f'<circle cx="{x:.1f}" cy="{self._middles[row]:.1f}" r="4" fill="currentColor"/>')
        for row in item.targets:
            y = self._middles[row]
            draw(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9"/>')
            draw(f'<path d="M{x - 9:.1f} {y:.1f}h18M{x:.1f} {y - 9:.1f}v18"/>')
        for row in item.crosses:
            y = self._middles[row]
            draw(f'<path d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12"/>')
        if item.box is not None:
            self._box(item, x)
        if item.mark is not None:
            self._mark(item, x)

    def _line(self, item: Item, x: float) -> None:
        """Draw what joins the parts of an instruction, but not through its box."""
        low, high = (self._middles[row] for row in item.span)
        first, last = (self._middles[row] for row in item.box or item.span)
        half = _BOX / 2 if item.box is not None else 0.0
        parts = [(low, high)] if item.box is None else [(low, first - half), (last + half, high)]
        offsets = (-1.5, 1.5) if item.mark is not None else (0.0,)
        path = "".join(
            f"M{x + offset:.1f} {a:.1f}V{b:.1f}"
            for a, b in parts
            if b > a
            for offset in (offsets if b == high else (0.0,))
        )
        if path:
            self._parts.append(f'<path d="{path}"/>')

    def _box(self, item: Item, x: float) -> None:
        first, last = item.box or (0, 0)
        width = _box_width(item)
        top = self._middles[first] - _BOX / 2
        height = self._middles[last] - self._middles[first] + _BOX
        for row in range(first, last + 1):
            self._covered[row].append((x - width / 2, x + width / 2))
        self._parts.append(
            f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="4"/>'
        )
        shift = _SMALL_CHARACTER if item.pins else 0.0
        if item.is_measurement:
            y = self._middles[first]
            self._parts.append(
                f'<path d="M{x - 9:.1f} {y + 5:.1f}a9 9 0 0 1 18 0M{x:.1f} {y + 5:.1f}l6 -12"/>'
            )
        else:
            middle = top + height / 2 + 4.5
            self._parts.append(_text(x + shift, middle, item.label))
        for row, number in item.pins.items():
            self._parts.append(
                _text(
                    x - width / 2 + 4, self._middles[row] + 3.5, number, anchor="start", small=True
                )
            )

    def _mark(self, item: Item, x: float) -> None:
        row, said = item.mark or (0, "")
        y = self._middles[row]
        if item.is_measurement:
            self._parts.append(f'<path d="M{x - 5:.1f} {y - 9:.1f}l5 7l5 -7" fill="currentColor"/>')
        else:
            self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="currentColor"/>')
        if said:
            self._parts.append(_text(x, y + 15, said, small=True))


def _text(x: float, y: float, said: str, *, anchor: str = "middle", small: bool = False) -> str:
    size = 10 if small else 13
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {_FONT} '
        f'fill="currentColor" stroke="none">{escape(said)}</text>'
    )


def _box_width(item: Item) -> float:
    if item.is_measurement:
        return _BOX
    pins = 2 * _SMALL_CHARACTER + 4 if item.pins else 0.0
    return max(_BOX, _length(item.label) + 14 + pins)


def _width(item: Item) -> float:
    wide = 18.0 if item.is_barrier else 20.0
    if item.box is not None:
        wide = _box_width(item)
    if item.mark is not None:
        wide = max(wide, _length(item.mark[1], _SMALL_CHARACTER))
    return wide
