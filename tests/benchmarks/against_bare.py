"""The comparison of `engine`, `latency` and `throughput`: a Bell circuit against bare loops."""

from collections.abc import Awaitable, Callable

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import Side, interleaved
from benchmarks.service import bare_arguments
from benchmarks.workloads import BELL, SHOTS

BACKENDS = ("aer_simulator", "local_simulator")


async def against_bare(
    name: str,
    what: str,
    backend: str | None,
    rounds: int,
    *,
    ours: Side,
    bare: Callable[[Contestant], Awaitable[float]],
    unit: str,
    target: Target,
) -> tuple[list[Finding], list[float]]:
    """Compare `ours` with two `bare` loops: our workers' executor, and plain Qiskit and Aer.

    The target applies to the second, which is left out for `local_simulator`. Without a backend,
    the executor is that of the router's choice, `local_simulator`. Also returns the value of `ours`
    in each round.
    """
    own = backend or "local_simulator"
    async with (
        Contestant("executor", confined=True, **bare_arguments(own)) as executor,
        Contestant("qiskit", confined=True, qasm=BELL, shots=SHOTS) as qiskit,
    ):
        sides: dict[str, Side] = {"ours": ours, "executor": lambda: bare(executor)}
        if backend != "local_simulator":
            sides["qiskit"] = lambda: bare(qiskit)
        values = await interleaved(sides, rounds)
    found = [
        ratio(
            f"{name} executor",
            f"{what} / the workers' own executor in a loop: parsed, run, counted",
            ours=values["ours"],
            bare=values["executor"],
            unit=unit,
        )
    ]
    if "qiskit" in values:
        found.insert(
            0,
            ratio(
                name,
                f"{what} / Qiskit and Aer in a loop: parsed, run, counted",
                ours=values["ours"],
                bare=values["qiskit"],
                unit=unit,
                target=target,
            ),
        )
    return found, values["ours"]
