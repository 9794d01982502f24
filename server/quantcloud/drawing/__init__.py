"""Draws circuits, as text and as SVG."""

from quantcloud.circuits import Circuit
from quantcloud.domain.value_object import value_object
from quantcloud.drawing.layout import arranged
from quantcloud.drawing.svg import svg
from quantcloud.drawing.text import text

__all__ = ["Drawing", "draw"]


@value_object
class Drawing:
    """A drawn circuit. What has no place in it: qubits, and instructions that are not drawn."""

    svg: str
    text: str
    hidden_qubits: int
    hidden_instructions: int


def draw(circuit: Circuit) -> Drawing:
    """Draw a circuit, or as much of it as `layout.MAX_COLUMNS` and `layout.MAX_QUBITS` allow."""
    layout = arranged(circuit)
    return Drawing(svg(layout), text(layout), layout.hidden_qubits, layout.hidden_instructions)
