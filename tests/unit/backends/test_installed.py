"""The backends that are installed, and why others are offline."""

import subprocess
import sys
from importlib import metadata

import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.base import installed_backends
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane


def test_the_entry_points_lead_to_the_backends():
    installed = installed_backends()
    assert installed["aer_gpu_simulator"] is aer.GPU
    for backend in (aer.CPU, cirq.BACKEND, local.BACKEND, pennylane.BACKEND):
        assert installed[backend.info.name] is backend
        assert backend.offline_reason() is None
        assert backend.info.is_simulator
        assert backend.info.cost_per_shot == 0


def test_the_gpu_backend_needs_a_cuda_build(tmp_path, monkeypatch):
    assert aer.GPU.offline_reason() == "no CUDA build of Qiskit Aer is installed (qiskit-aer-gpu)"
    folder = tmp_path / "qiskit_aer_gpu-0.18.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: qiskit-aer-gpu\nVersion: 0.18\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert metadata.version("qiskit-aer-gpu") == "0.18"
    assert aer.GPU.offline_reason() in (None, "this machine shows no NVIDIA GPU (/dev/nvidia0)")


LIGHT = """
import sys
from quantcloud.backends.base import installed_backends
from quantcloud.circuits import analyse
from quantcloud.openqasm import parse
from quantcloud.domain.execution import RunOptions
circuit = parse('OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; h q; measure q -> c;')
for backend in installed_backends().values():
    if backend.offline_reason() is None:
        assert backend.methods(analyse(circuit), 1024, RunOptions())
heavy = {"numpy", "qiskit", "qiskit_aer", "cirq", "qsimcirq", "pennylane", "stim", "scipy"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_the_light_half_imports_no_simulator():
    result = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("backend", "package"),
    [
        (aer.CPU, "qiskit"), (aer.CPU, "qiskit_aer"), (cirq.BACKEND, "cirq"),
        (cirq.BACKEND, "qsimcirq"), (pennylane.BACKEND, "pennylane"),
        (pennylane.BACKEND, "pennylane_lightning"),
    ],
)  # fmt: skip
def test_a_backend_whose_package_is_not_installed_is_offline(backend, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    reason = backend.offline_reason()
    assert reason is not None
    assert reason.startswith(f"the package {package} is not installed for this Python, 3.")
