"""What a job measured."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from quantcloud.client.messages.plain import as_dict, struct
from quantcloud.client.messages.sweeps import Sweep
from thequantcloud.v1 import circuit_pb2, job_pb2

_ROWS = 16


class Result:
    """The result of a completed job. `message` is the answer of the server."""

    def __init__(self, message: job_pb2.JobResult) -> None:
        self.message = message
        self.job_id = message.job_id
        self.backend = message.backend
        self.execution_time_ms = message.execution_time_ms

    @property
    def counts(self) -> dict[str, int]:
        """The number of shots for each bitstring. Bit 0 is rightmost."""
        return dict(self.message.counts)

    @property
    def probabilities(self) -> dict[str, float]:
        """The counts divided by the number of shots."""
        return dict(self.message.probabilities)

    @property
    def sweep(self) -> Sweep | None:
        """The results at all points, or None unless the run had parameters or observables."""
        return Sweep(self.message.sweep) if self.message.HasField("sweep") else None

    @property
    def expectation_values(self) -> Any:
        """The expectation values by point and observable, or None; see `sweep` for more."""
        return None if self.sweep is None else self.sweep.expectation_values

    @property
    def shots(self) -> int:
        """The number of shots."""
        return sum(self.message.counts.values())

    @property
    def metadata(self) -> dict[str, Any]:
        """Information about the run, such as `method` and `seed`."""
        return struct(self.message.metadata)

    @property
    def memory(self) -> list[str] | None:
        """The bitstring of each shot in order, or None unless the run asked for it."""
        return self.metadata.get("memory")

    @property
    def statevector(self) -> Any:
        """The amplitudes, or None unless the run asked for them.

        A NumPy array if NumPy is installed, and otherwise a list of complex numbers.
        """
        if not self.message.HasField("statevector"):
            return None
        state = self.message.statevector
        try:
            import numpy as np  # noqa: PLC0415  # optional
        except ModuleNotFoundError:
            return [complex(*each) for each in zip(state.real, state.imag, strict=True)]
        return np.array(state.real) + 1j * np.array(state.imag)

    def to_dict(self) -> dict[str, Any]:
        """Return the result in the form that REST has."""
        return as_dict(self.message)

    def plot(self, axes: Any = None) -> Any:
        """Draw the counts as bars, and return the axes. Needs matplotlib."""
        if axes is None:
            from matplotlib import pyplot as plt  # noqa: PLC0415  # optional

            axes = plt.subplots()[1]
        outcomes = sorted(self.counts)
        axes.bar(outcomes, [self.counts[each] for each in outcomes])
        axes.set_xlabel("outcome")
        axes.set_ylabel("shots")
        axes.tick_params(axis="x", rotation=90 if len(outcomes) > 8 else 0)  # noqa: PLR2004
        return axes

    def __repr__(self) -> str:
        if self.sweep is not None:
            return f"<Result of job {self.job_id} on {self.backend}: {len(self.sweep)} points>"
        shown = ", ".join(f"{key!r}: {count}" for key, count in ranked(self.counts)[:_ROWS])
        more = ", ..." if len(self.counts) > _ROWS else ""
        return f"<Result of job {self.job_id} on {self.backend}: {{{shown}{more}}}>"

    def _repr_html_(self) -> str:
        """Return the table that notebooks show."""
        if self.sweep is not None:
            return f"<p>{escape(repr(self))}</p>"
        most = max(self.counts.values(), default=1)
        rows = "".join(
            f"<tr><td><code>{escape(outcome)}</code></td>"
            f'<td><div style="background:#2a78d6;height:.8em;width:{12 * count / most:.2f}em">'
            f"</div></td><td>{count}</td><td>{count / self.shots:.1%}</td></tr>"
            for outcome, count in ranked(self.counts)[:_ROWS]
        )
        rest = len(self.counts) - _ROWS
        more = f"<p>{rest} more outcomes</p>" if rest > 0 else ""
        head = "<tr><th>outcome</th><th></th><th>shots</th><th>share</th></tr>"
        caption = f"<caption>{escape(self.backend)}, {self.shots} shots</caption>"
        return f"<table>{caption}{head}{rows}</table>{more}"


class Drawing:
    """A drawn circuit. `message` is the answer of the server, with the circuit's analysis.

    A notebook shows it as a picture, and `print` as text in box characters.
    """

    def __init__(self, message: circuit_pb2.DrawCircuitResponse) -> None:
        self.message = message
        self.svg = message.svg
        self.text = message.text

    def __str__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        """Return the picture that notebooks show."""
        return self.svg


def ranked(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """Return the outcomes, the most frequent first."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))
