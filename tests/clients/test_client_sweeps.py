"""Sweeps and estimates of `quantcloud.Client` against a real server."""

import math

import pytest

from quantcloud import Client
from quantcloud.client import InvalidRequest
from support.server import Server

ROTATED = "OPENQASM 3.0; input float[64] a; input array[float[64], 2] b; qubit[2] q; rx(a) q[0];"


@pytest.fixture
def client(server: Server):
    with Client(server.endpoints.grpc, server.token(tier="enterprise")) as client:
        yield client


def test_estimate_gives_values_and_gradients(client: Client):
    circuit = ROTATED + "ry(b[0] + b[1]) q[1];"
    terms = [{"sparse": "Z0"}, {"pauli": "ZI", "coefficient": 2}]
    result = client.estimate(circuit, [terms, "XI"], {"a": [0.1, 0.2], "b": [[0.3, 0.4]] * 2},
                             gradient=True)  # fmt: skip
    for a, point in zip((0.1, 0.2), result.points, strict=True):
        wanted = [math.cos(a) + 2 * math.cos(0.7), math.sin(0.7)]
        assert point.expectation_values == pytest.approx(wanted)
        gradient = point.gradients[0].parameters
        assert gradient["a"].values == pytest.approx([-math.sin(a)])
        assert gradient["b"].values == pytest.approx([-2 * math.sin(0.7)] * 2)


def test_a_sweep_returns_the_points_of_all_pages(client: Client):
    circuit = ROTATED + "bit[2] c; c = measure q;"
    values = [math.pi * (point % 2) for point in range(900)]
    result = client.sweep(circuit, {"a": values, "b": [0, 0]}, packed=True, shots=2000)
    (register,) = result.registers
    assert (register.name, register.num_bits, len(result.points)) == ("c", 2, 900)
    assert register.data == b"".join(bytes([point % 2]) * 2000 for point in range(900))


def test_wrong_values_are_named(client: Client):
    with pytest.raises(InvalidRequest) as wrong:
        client.sweep(ROTATED, {"a": ["x"], "b": [0, 0]})
    assert wrong.value.field == "parameters.a"
    with pytest.raises(InvalidRequest) as wrong:
        client.estimate(ROTATED, [{"paul": "X"}])
    assert wrong.value.field == "observables"
