"""A backend whose runs take one millisecond for each shot, and no processor time.

Its outcome is all ones. The result's metadata names the process that it ran in.
"""

import os
import time

from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Outcome
from quantcloud.routing.method import Method


class Napper:
    def run(self, circuit, execution):
        began = time.monotonic()
        time.sleep(execution.shots / 1000)
        counts = {"1" * circuit.num_clbits: execution.shots}
        elapsed = (time.monotonic() - began) * 1000
        return Outcome(counts, elapsed, metadata={"process": os.getpid()})


class Backend:
    info = BackendInfo("nap", "tests", 30, (), "Naps.")
    executor = Napper

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("nap", memory_bytes=1, seconds=shots / 1000)]


NAP = Backend()
