"""One Ray cluster of two nodes for these tests, and packages that only some nodes have."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from quantcloud.backends.base import installed_backends
from support.external.ray import RayCluster
from support.packages import install

UNIT_ENGINE = Path(__file__).parents[2] / "unit" / "engine"

QPU = """
from dataclasses import replace

import engine_probe
from quantcloud.backends.resources import Resources
from quantcloud.routing.method import Method


class Backend(engine_probe.Backend):
    info = replace(engine_probe.Backend.info, name="qpu")
    resources = Resources(cpus=0.5, memory_bytes=256 << 20, custom={"qpu": 1})

    def methods(self, _analysis, _shots, _options):
        return [Method("succeed", memory_bytes=1, seconds=1.0)]


class Gpu(engine_probe.Backend):
    resources = Resources(cpus=0, gpus=1)


class Spare(engine_probe.Backend):
    info = replace(engine_probe.Backend.info, name="spare")
    resources = Resources(custom={"spare": 1})

    def methods(self, _analysis, _shots, _options):
        return [Method("loop_in_c", memory_bytes=1, seconds=600.0)]


class Napper(engine_probe.Backend):
    info = replace(engine_probe.Backend.info, name="napper")

    def methods(self, _analysis, _shots, _options):
        return [Method("last_a_while", memory_bytes=1, seconds=0.3)]


BACKEND, GPU, SPARE, NAPPER = Backend(), Gpu(), Spare(), Napper()
"""


def missing() -> str:
    """Return why there can be no cluster here; empty if there can."""
    if importlib.util.find_spec("ray") is None:
        return "Ray has no wheel for this platform"
    # It runs its client server by a command line without quotes.
    return "Ray does not start from a path with a space" if " " in sys.executable else ""


def pytest_collection_modifyitems(items):
    if reason := missing():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def site(tmp_path_factory):
    """A folder with two distributions: backends `probe`, `qpu`, `gpu_probe`, `spare`, `napper`."""
    folder = tmp_path_factory.mktemp("site")
    probe = (UNIT_ENGINE / "probe.py").read_text()
    install(folder, "engine_probe", probe, {"probe": "engine_probe:BACKEND"})
    names = {"qpu": "BACKEND", "gpu_probe": "GPU", "spare": "SPARE", "napper": "NAPPER"}
    points = {name: f"pretend_machine:{target}" for name, target in names.items()}
    install(folder, "pretend_machine", QPU, points)
    (folder / "visible.txt").write_text("visible")
    (folder / "hidden").mkdir()
    (folder / "hidden" / "secret.db").write_text("secret")
    sys.path.insert(0, str(folder))
    installed_backends.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    installed_backends.cache_clear()
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def cluster(site):
    """A head with one core, and a node to which Ray assigns one core, a QPU and two GPUs.

    Only the node has the package of the backends. The cluster has three slots, because runs on a
    GPU take no core.
    """
    with RayCluster("--num-cpus=1") as running:
        running.add("--num-cpus=1", "--num-gpus=2", packages=site, qpu=1)
        yield running
