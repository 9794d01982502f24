"""Drawings: what they show, that they are bounded, and that nothing of a circuit becomes markup."""

import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.drawing import draw
from quantcloud.drawing.labels import angle
from quantcloud.drawing.layout import MAX_COLUMNS, MAX_QUBITS
from quantcloud.openqasm import parse

HEAD = 'OPENQASM 2.0; include "qelib1.inc"; '
SVG = "{http://www.w3.org/2000/svg}"
# What a drawing may have.
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "title", "desc", "path", "rect", "circle", "text")}
MOST_BYTES = 1 << 20

BELL = """\
      ┌───┐   ┌───┐
q[0] ─┤ H ├─●─┤ M ├───────
      └───┘ │ └─╥─┘
            │   │   ┌───┐
q[1] ───────⊕───┼───┤ M ├─
                │   └─╥─┘
 c/2 ═══════════╩═════╩═══
                0     1
"""


def test_a_bell_circuit_as_text():
    assert (
        draw(parse(HEAD + "qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;")).text
        == BELL
    )


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 (ours)


def test_svg_has_a_name_and_a_description():
    svg = draw(parse(HEAD + "qreg q[2]; cx q[0], q[1];")).svg
    root = ET.fromstring(svg)  # noqa: S314 (ours)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Circuit with 2 qubits"
    assert root.findtext(f"{SVG}desc") == "X on q[1] controlled by q[0]"
    assert "<title>Circuit with 1 qubit</title>" in draw(parse(HEAD + "qreg q[1];")).svg


@pytest.mark.parametrize(
    ("radians", "text"),
    [(0, "0"), (3.141592653589793, "π"), (-1.5707963267948966, "-π/2"), (0.1, "0.1"),
     (2.0943951023931953, "2π/3"), (1e9, "1e+09")],
)  # fmt: skip
def test_angles_are_fractions_of_pi_where_they_can_be(radians: float, text: str):
    assert angle(radians) == text


def test_an_angle_that_depends_on_inputs_is_a_formula():
    program = (
        'OPENQASM 3; include "stdgates.inc"; input float theta; input array[float, 2] w; qubit q; '
        "rx(theta) q; ry(-2 * (theta + w[1])) q; rz(sin(theta) / 3 + w[0] * w[1] * theta) q;"
    )
    drawn = [text for text in texts(draw(parse(program)).svg) if "(" in text]
    assert drawn[0] == "Rx(theta)"
    assert "theta+w[1]" in drawn[1]
    assert len(drawn[2]) < 30


@st.composite
def programs(draw_: st.DrawFn) -> str:
    qubits = draw_(st.integers(5, 60))
    lines = [f"qreg q[{qubits}]; creg c[3]; creg d[1]; gate pair(a) x, y {{ rx(a) x; cx x, y; }}"]
    places = st.lists(st.integers(0, qubits - 1), min_size=5, max_size=5, unique=True)
    for _ in range(draw_(st.integers(0, 25))):
        name = draw_(
            st.sampled_from([*STANDARD_GATES, "pair", "barrier", "measure", "reset", "if"])
        )
        on = [f"q[{place}]" for place in draw_(places)]
        if name == "measure":
            lines.append(f"measure {on[0]} -> {draw_(st.sampled_from(['c[2]', 'd[0]']))};")
        elif name == "if":
            lines.append(f"if (c == {draw_(st.integers(0, 7))}) cx {on[0]}, {on[1]};")
        elif name == "barrier":
            lines.append(f"barrier {', '.join(on)};")
        elif name == "reset":
            lines.append(f"reset {on[0]};")
        else:
            angles, width = (
                (1, 2)
                if name == "pair"
                else (STANDARD_GATES[name].num_params, STANDARD_GATES[name].num_qubits)
            )
            values = ",".join(str(draw_(st.floats(-7, 7))) for _ in range(angles))
            lines.append(f"{name}{f'({values})' if angles else ''} {', '.join(on[:width])};")
    return "\n".join(lines)


@given(programs())
def test_each_circuit_has_a_drawing(program: str):
    drawing = draw(parse(program))
    root = ET.fromstring(drawing.svg)  # noqa: S314 (ours)
    assert {element.tag for element in root.iter()} <= ELEMENTS
    width, height = (float(root.get(name) or 0) for name in ("width", "height"))
    for element in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(element.get(name) or 0) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
    lines = drawing.text.splitlines()
    assert len(lines) <= 3 * (MAX_QUBITS + 1) + 2 * 2 + 1
    assert all(line == line.rstrip() for line in lines)


def test_a_drawing_is_bounded_however_long_the_circuit_is():
    body = "h q; cx q[0], q[1]; barrier q; measure q -> c;" * 100
    circuit = parse(f"{HEAD} qreg q[2000]; creg c[2000]; {body}")
    start = time.perf_counter()
    drawing = draw(circuit)
    assert time.perf_counter() - start < 5
    assert drawing.hidden_qubits == 2000 - MAX_QUBITS
    assert drawing.hidden_instructions > 100_000
    assert len(drawing.svg.encode()) < MOST_BYTES
    assert len(drawing.text.encode()) < MOST_BYTES
    assert str(drawing.hidden_instructions) in drawing.text
    assert max(map(len, drawing.text.splitlines())) < 40 * MAX_COLUMNS


def test_hidden_qubits_share_a_wire():
    drawing = draw(parse(HEAD + "qreg q[50]; cx q[0], q[49]; h q[48]; h q[1];"))
    assert "10 more" in drawing.text
    assert drawing.text.count("⊕") == 1
    assert drawing.hidden_instructions == 1


def test_names_are_text_and_bounded():
    name = "ünïcode" + "x" * 500
    program = (
        f"OPENQASM 3; qubit[2] {name}; bit {name}1; gate {name}g a {{ U(0, 0, 0) a; }} "
        f"{name}g {name}[0];"
    )
    drawing = draw(parse(program))
    assert max(map(len, texts(drawing.svg))) < 40
    assert "ünïcode" in drawing.text


@pytest.mark.parametrize("program", [
    "OPENQASM 3; qubit q; bit b; b = measure q; while (b) { x q; b = measure q; }",
    "OPENQASM 3; qubit q; uint[8] n; bit b; b = measure q; n = n + 3; if (n == 3) x q;",
    "OPENQASM 3; qubit q; delay[100ns] q; reset q;",
    "OPENQASM 3; qubit q; U(0, 0, 0) q;",
])  # fmt: skip
def test_control_flow_has_a_place(program: str):
    drawing = draw(parse(program))
    assert drawing.hidden_instructions == 0
    assert texts(drawing.svg)
