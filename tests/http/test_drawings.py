"""Drawings over REST: their limits, and that they count as requests."""

import pytest

from support.circuits import BELL, HEADER
from support.server import Server

PATH = "/v1/circuits/draw"


def test_a_drawing_counts_as_a_request(server: Server):
    ada = server.newcomer()
    assert ada.rest("POST", PATH, {"qasm": BELL}).status_code == 200
    assert server.post(PATH, {"qasm": BELL}).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"), [({}, "qasm"), ({"qasm": ""}, "qasm"), ({"qsam": BELL}, "qsam")]
)
def test_what_is_missing_is_named(server: Server, body: dict[str, str], field: str):
    answer = server.newcomer().rest("POST", PATH, body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(field)


def test_a_long_text_is_refused_and_a_long_circuit_is_cut(server: Server):
    ada = server.newcomer()
    long = ada.rest("POST", PATH, {"qasm": HEADER + "// " + "x" * 300_000})
    assert long.status_code == 400
    assert "262144" in long.json()["detail"]
    cut = ada.rest("POST", PATH, {"qasm": HEADER + "qreg q[10000];" + "h q;" * 150})
    assert cut.status_code == 200
    assert cut.json()["hidden_instructions"] > 1_000_000
    assert len(cut.content) < 1 << 20


@pytest.mark.parametrize("name", ["<script>", "</svg>", "a&b", "q\x00", '"'])
def test_no_name_becomes_markup(server: Server, name: str):
    answer = server.newcomer().rest("POST", PATH, {"qasm": f"OPENQASM 3; qubit[1] {name};"})
    assert answer.status_code == 400
