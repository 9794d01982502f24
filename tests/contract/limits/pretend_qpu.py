"""A fake quantum device for tests of limits. It counts tasks and dollars; its results are zeros."""

from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Outcome
from quantcloud.routing.method import Method


class Executor:
    """Returns at once; the option `memory` makes it fail."""

    def run(self, circuit, execution):
        if execution.options.memory:
            raise RuntimeError("the hardware broke")
        return Outcome({"0" * circuit.num_clbits: execution.shots}, 1000.0)


class Backend:
    info = BackendInfo("qpu", "tests", 5, (), "Pretends.", is_simulator=False, cost_per_shot=0.01)

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("hardware", memory_bytes=1, seconds=1.0)]

    def executor(self):
        return Executor()


BACKEND = Backend()
