"""Estimates and sweeps by `quantcloud.Client`, on a real server."""

import numpy as np
import pytest

from quantcloud import Client
from quantcloud.client import InvalidRequest
from support.circuits import BELL, TURN


def test_estimate_gives_values_and_gradients(client: Client):
    parameters = {"theta": [0, 0.5, 1], "w": [0.25, 0.75]}
    observables = [{"ZI": 1, "Z0": -0.5}, "00", {"Z1": 2}]
    found = client.estimate(TURN, observables, parameters, gradient=True, variances=True)
    theta = np.array([0, 0.5, 1])
    first = np.cos(1) - 0.5 * np.cos(theta)
    ground = np.cos(0.5) ** 2 * np.cos(theta / 2) ** 2
    want = np.stack([first, ground, np.full(3, 2 * np.cos(1))], axis=1)
    assert found.expectation_values == pytest.approx(want)
    assert found.gradients["theta"].shape == (3, 3, 1)
    assert found.gradients["w"].shape == (3, 3, 2)
    assert found.gradients["theta"][:, 0, 0] == pytest.approx(0.5 * np.sin(theta))
    assert found.variances.shape == (3, 3)
    zipped = client.estimate(TURN, ["ZI", "IZ", "ZZ"], parameters, pairing="zip", precision=0.1)
    assert zipped.expectation_values.shape == zipped.standard_errors.shape == (3, 1)
    plain = client.estimate(BELL.partition("measure")[0], "ZZ")
    assert plain.expectation_values == pytest.approx(1)
    with pytest.raises(InvalidRequest, match="numbers"):
        client.estimate(TURN, "ZI", {"theta": ["x"], "w": [0, 0]})


def test_sweep_gives_counts_at_each_point(client: Client):
    rows = np.stack([np.linspace(0, np.pi, 50), np.zeros(50)], axis=1)
    found = client.sweep(TURN, {"theta": 0, "w": rows}, shots=20)
    assert (len(found), found.points_total) == (50, 50)
    assert found.counts[0] == {"00": 20}
    assert found.counts[-1] == {"10": 20}
    job = client.submit(TURN, parameters={"theta": 0, "w": rows}, packed=True, shots=9)
    packed = job.result(timeout=30)
    assert packed.sweep.registers["meas"][0] == 2
    assert len(packed.sweep.registers["meas"][1]) == 50 * 9
    again = job.rerun().result(timeout=30)
    assert again.sweep.registers == packed.sweep.registers
    assert len(job.partial_result().sweep.registers["meas"][1]) == 50 * 9


def test_a_sweep_with_many_pages_is_whole(client: Client):
    points = np.linspace(0, 1, 700)
    found = client.sweep(TURN.replace("qubit[2]", "qubit[10]"), {"theta": points, "w": [0, 0]},
                         probabilities=True)  # fmt: skip
    assert found.probabilities.shape == (700, 1024)
    assert found.probabilities[:, 1] == pytest.approx(np.sin(points / 2) ** 2)
