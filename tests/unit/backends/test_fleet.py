"""A broken backend does not affect the others, and the fleet learns from runs."""

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.execution import RunOptions
from quantcloud.openqasm import examine
from quantcloud.routing.method import Method
from support.jobs import unrouted

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
        (Broken(online=False), "offline: its status check failed"),
        (Broken(online=True), "broken failed to list its methods"),
        (Broken(online=True, methods=[]), "broken has no method for this circuit"),
    ],
)
def test_a_broken_backend_is_rejected_and_the_others_are_not(broken, rejection):
    fleet = Fleet({**installed_backends(), "broken": broken}, memory_limit=1 << 30)
    decision = fleet.decide(unrouted(), examine(BELL), QueueFigures())
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


def test_actual_times_change_predictions():
    fleet = Fleet({"learning": Learning()}, memory_limit=1 << 30)
    analysis = examine(BELL)
    for _ in range(50):
        chosen = fleet.decide(unrouted(), analysis, QueueFigures()).chosen
        assert chosen is not None
        assert chosen.method is not None
        fleet.learn("learning", fleet.uncorrected("learning", chosen.method), 5.0)
    chosen = fleet.decide(unrouted(), analysis, QueueFigures()).chosen
    assert chosen is not None
    assert chosen.method is not None
    assert chosen.method.seconds == pytest.approx(5.0, rel=0.1)
    fleet.learn("gone", chosen.method, 5.0)


def test_learnt_times_do_not_change_the_method_of_a_backend():
    """A seed gives the same counts only by the same method, also for a seed that was reported."""
    fleet = Fleet({"learning": Learning()}, memory_limit=1 << 30)
    analysis = examine(BELL)
    for _ in range(50):
        fleet.learn("learning", Method("m", 1, 1.0), 9.0)

    def method(options: RunOptions) -> str:
        job = unrouted(options=options, requested_backend="learning")
        chosen = fleet.decide(job, analysis, QueueFigures()).chosen
        assert chosen is not None
        assert chosen.method is not None
        return chosen.method.name

    assert method(RunOptions()) == "m"
    assert method(RunOptions(seed=7)) == "m"


class Parallel(Learning):
    info = BackendInfo("parallel", "tests", 2, (), "Divides its work.")

    def methods(self, analysis, shots, options):
        return [Method("m", 1, 1.0, parallel=0.9)]


@pytest.mark.parametrize(("idle", "threads"), [(1, 1), (4, 4), (1000, 21)])
def test_a_prediction_is_for_the_threads_that_a_run_gains_from(idle, threads):
    """The least efficiency that counts as a gain is a third."""
    fleet = Fleet({"parallel": Parallel()}, memory_limit=1 << 30)
    chosen = fleet.decide(unrouted(), examine(BELL), QueueFigures(), threads=idle).chosen
    assert chosen is not None
    assert chosen.method is not None
    assert chosen.method.threads == threads
    assert chosen.method.seconds == pytest.approx(0.1 + 0.9 / threads)
    stored = fleet.uncorrected("parallel", chosen.method)
    assert (stored.seconds, stored.parallel) == (1.0, 0.9)
    assert 1 / chosen.method.seconds / threads >= 1 / 3


def test_a_short_run_gains_from_no_thread():
    assert Method("m", 1, 0.01, parallel=0.9).most_threads == 1
    assert Method("m", 1, 0.1, parallel=0.0).most_threads == 1
