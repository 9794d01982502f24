"""What every executor does around a simulation: the random generator, the clock, the outcome."""

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
    """What a generator starts from: the BLAKE2b hash of a seed.

    NumPy's own way to mix a seed takes four times as long, a quarter of a small circuit's run.
    """

    def __init__(self, seed: int) -> None:
        self._text = b"%d" % seed

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return `n_words` numbers of `dtype`, 64 bytes of them at most."""
        size = n_words * np.dtype(dtype).itemsize
        return np.frombuffer(hashlib.blake2b(self._text, digest_size=size).digest(), dtype)


class Run:
    """One run under way: its random generator and its time since it was made."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        words: Any = _SeedWords(execution.seed)  # which PCG64's stub does not know
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
        """Stop the clock and put the result together.

        `amplitudes` has bit q of its index for qubit q; it is passed on where it was asked for.
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
    """Raise `ValueError` where a statevector is asked for that the circuit cannot have."""
    if not execution.options.statevector:
        return
    if branches:
        raise ValueError(
            "the statevector option needs a circuit that measures only at its end: with a "
            "measurement, reset or condition midway the final state differs from shot to shot"
        )
    if execution.options.noise is not None:
        raise ValueError("the statevector option does not go with noise: a noisy state is mixed")
    if num_qubits > MAX_STATEVECTOR_QUBITS:
        raise ValueError(
            f"the statevector option takes up to {MAX_STATEVECTOR_QUBITS} qubits, "
            f"this circuit has {num_qubits}"
        )
