"""What every executor needs for a run: the random generator, the clock, the outcome."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from quantcloud.backends.simulation.sampling import shots_in_order
from quantcloud.domain.execution import Execution, Outcome, Statevector

MAX_STATEVECTOR_QUBITS = 16


class _SeedWords(ISeedSequence):
    """The initial state of a random generator: the BLAKE2b hash of a seed.

    NumPy's own hash takes four times as long, which is a quarter of a small circuit's run.
    """

    def __init__(self, seed: int) -> None:
        self._text = b"%d" % seed

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return `n_words` numbers of `dtype`, at most 64 bytes."""
        size = n_words * np.dtype(dtype).itemsize
        return np.frombuffer(hashlib.blake2b(self._text, digest_size=size).digest(), dtype)


class Run:
    """A run in progress: its random generator, and a clock that starts with it."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        words: Any = _SeedWords(execution.seed)  # PCG64's stub does not accept it
        self.rng = np.random.Generator(np.random.PCG64(words))
        self._started = time.perf_counter()

    def outcome(
        self,
        counts: Mapping[str, int],
        *,
        precision: Literal["double", "single"] = "double",
        amplitudes: NDArray[np.complexfloating] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Outcome:
        """Stop the clock and build the outcome.

        Bit q of an index of `amplitudes` is qubit q. They are included if the request wants them.
        """
        options = self.execution.options
        memory = shots_in_order(counts, self.rng) if options.memory else None
        elapsed_ms = (time.perf_counter() - self._started) * 1e3
        statevector = None
        if options.statevector:
            if amplitudes is None:
                raise ValueError(f"method {self.execution.method!r} gives no statevector")
            statevector = Statevector(
                tuple(amplitudes.real.tolist()), tuple(amplitudes.imag.tolist())
            )
        metadata: dict[str, object] = {
            "method": self.execution.method,
            "seed": self.execution.seed,
            "precision": precision,
            "noise": options.noise is not None,
            **(details or {}),
        }
        return Outcome(counts, elapsed_ms, statevector, memory, metadata)


def check_statevector(execution: Execution, num_qubits: int, *, branches: bool) -> None:
    """Raise `ValueError` if a statevector is requested that the circuit cannot have."""
    if not execution.options.statevector:
        return
    if branches:
        raise ValueError(
            "the statevector option needs a circuit that measures only at its end: with a "
            "mid-circuit measurement, reset or condition, the final state differs between shots"
        )
    if execution.options.noise is not None:
        raise ValueError("a statevector needs a run without noise: a noisy state is mixed")
    if num_qubits > MAX_STATEVECTOR_QUBITS:
        raise ValueError(
            f"the statevector option takes up to {MAX_STATEVECTOR_QUBITS} qubits, "
            f"this circuit has {num_qubits}"
        )
