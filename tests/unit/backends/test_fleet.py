"""A backend that misbehaves in the serving process costs nobody else anything."""

import dataclasses

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures, Ran
from quantcloud.circuits import examine
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.routing.method import Method
from quantcloud.routing.router import Demand

BELL = 'include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0],q[1];'


class Broken:
    info = BackendInfo("broken", "tests", 2, (), "Raises.")

    def __init__(self, *, online: bool, methods: object = None) -> None:
        self._online = online
        self._methods = methods

    def offline_reason(self):
        if not self._online:
            raise OSError("no licence at /opt/licence")

    def methods(self, analysis, shots, options):
        if self._methods is None:
            raise KeyError("qubits")
        return self._methods


@pytest.mark.parametrize(
    ("broken", "rejection"),
    [
        (Broken(online=False), "offline: it failed when it was asked"),
        (Broken(online=True), "broken failed when it was asked for its methods"),
        (Broken(online=True, methods=[]), "broken has no method for this circuit"),
    ],
)
def test_a_broken_backend_is_rejected_and_the_others_are_not(broken, rejection):
    fleet = Fleet({**installed_backends(), "broken": broken}, memory_limit=1 << 30)
    demand = Demand(examine(BELL), 10, RunOptions(), OptimizationTarget.BALANCED)
    decision = fleet.decide(demand, QueueFigures())
    assert decision.chosen is not None
    rejections = {each.backend: each.rejection for each in decision.candidates}
    assert rejections["broken"] == rejection
    offline = fleet.status("broken") is BackendStatus.OFFLINE
    assert offline is rejection.startswith("offline")


class Learning:
    info = BackendInfo("learning", "tests", 2, (), "Says one second.")

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("m", 1, 1.0), Method("other", 1, 2.0)]


def decided(fleet, **options):
    demand = Demand(examine(BELL), 10, RunOptions(**options), OptimizationTarget.BALANCED)
    chosen = fleet.decide(demand, QueueFigures()).chosen
    assert chosen is not None
    assert chosen.method is not None
    return chosen


def test_what_runs_took_changes_what_is_predicted():
    fleet = Fleet({"learning": Learning()}, memory_limit=1 << 30)
    ran = Ran("learning", "m", examine(BELL), 10, RunOptions())
    for _ in range(50):
        fleet.learn(ran, 5.0)
    assert decided(fleet).method.seconds == pytest.approx(5.0, rel=0.1)
    fleet.learn(dataclasses.replace(ran, backend="gone"), 5.0)
    fleet.learn(dataclasses.replace(ran, method="gone"), 5.0)


class Rival(Learning):
    info = BackendInfo("rival", "tests", 2, (), "Says two seconds, and not in double precision.")

    def methods(self, analysis, shots, options):
        return [Method("theirs", 1, 2.0, double_precision=False)]


def test_what_runs_took_changes_the_choice_between_backends():
    fleet = Fleet({"learning": Learning(), "rival": Rival()}, memory_limit=1 << 30)
    assert decided(fleet).backend == "learning"
    for method in ("m", "other"):
        for _ in range(50):
            fleet.learn(Ran("learning", method, examine(BELL), 10, RunOptions()), 9.0)
    assert decided(fleet).backend == "rival"


class Precise(Learning):
    """The slower method is the better one, but for whom only the time of a quick rival counts."""

    def methods(self, analysis, shots, options):
        return [Method("m", 1, 1.0, double_precision=False), Method("other", 1, 1.1)]


class Quick(Rival):
    def methods(self, analysis, shots, options):
        return [Method("theirs", 1, 0.01, exact=False)]


@pytest.mark.parametrize("backend", [Learning(), Precise()])
def test_a_backend_keeps_its_method_whatever_was_learnt_and_whoever_competes(backend):
    """A run that is sent again with the seed that it was given at first has the same counts."""
    alone = Fleet({"learning": backend}, memory_limit=1 << 30)
    first = decided(alone).method.name
    assert decided(alone, seed=7).method.name == first
    for _ in range(50):
        alone.learn(Ran("learning", first, examine(BELL), 10, RunOptions()), 9.0)
    assert decided(alone).method.name == decided(alone, seed=7).method.name == first
    both = Fleet({"learning": backend, "rival": Quick()}, memory_limit=1 << 30)
    demand = Demand(examine(BELL), 10, RunOptions(), OptimizationTarget.BALANCED)
    waiting = QueueFigures({"learning": 3, "rival": 3}, {"learning": 20.0, "rival": 1.0})
    for figures in (QueueFigures(), waiting):
        candidates = {each.backend: each for each in both.decide(demand, figures).candidates}
        assert candidates["learning"].method.name == first
