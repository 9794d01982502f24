"""The SDK itself, as the reference: it carries programs out as Python does."""

import contextlib
import io
from unittest import mock

import quantsdk
from quantsdk.circuit import Circuit


class _Ran(BaseException):
    pass


def build(source):
    """The circuit that a program gives to its first run, or the last one it makes, and the run's
    settings. Raises what the program does."""
    made, ran = [], []
    begin = Circuit.__init__

    def init(circuit, *arguments, **named):
        begin(circuit, *arguments, **named)
        made.append(circuit)

    def run(circuit, shots=None, backend=None, **settings):
        ran.append((circuit, {"shots": shots, "backend": backend, **settings}))
        raise _Ran

    with (
        mock.patch.object(Circuit, "__init__", init),
        mock.patch.object(quantsdk, "run", run),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(_Ran),
    ):
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
    return ran[0] if ran else (made[-1], {})
