"""Cirq's sampler."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from numbers import Integral
from typing import Any, TypeVar

import cirq
import duet.impl
import numpy as np
from duet.futuretools import AwaitableFuture

from quantcloud.cirq.circuits import Program, Register, export
from quantcloud.client import Client, Result

T = TypeVar("T")
_THREADS = 16


class Sampler(cirq.Sampler):
    """A sampler on a server.

    Without `backend`, the server chooses. `fields` are arguments of each run, as
    `quantcloud.Client.run` has them, such as `seed`, `noise` and `optimize_for`. Server and token
    are those of `client`, or are found as `quantcloud.Client` finds them. Raises `NotConfigured`; a
    method that runs circuits raises `quantcloud.client.QuantCloudError`, and `ValueError` for a
    circuit that the server has no form of. The methods with `async` in their names run in asyncio
    and in duet.
    """

    def __init__(self, *, client: Client | None = None, **fields: Any) -> None:
        self._client = client or Client()
        self._seed = fields.pop("seed", None)
        self._random = np.random.default_rng(self._seed)
        self._fields = fields

    def run_sweep(
        self, program: cirq.AbstractCircuit, params: cirq.Sweepable, repetitions: int = 1
    ) -> Sequence[cirq.Result]:
        """Run a circuit at all points as one job."""
        return self.run_batch([program], [params], [repetitions])[0]

    async def run_sweep_async(
        self, program: cirq.AbstractCircuit, params: cirq.Sweepable, repetitions: int = 1
    ) -> Sequence[cirq.Result]:
        return await self._elsewhere(partial(self.run_sweep, program, params, repetitions))

    def run_batch(
        self,
        programs: Sequence[cirq.AbstractCircuit],
        params_list: Sequence[cirq.Sweepable] | None = None,
        repetitions: int | Sequence[int] = 1,
    ) -> Sequence[Sequence[cirq.Result]]:
        """Run circuits with one submission, each at all points of its own."""
        if isinstance(repetitions, Integral):
            repetitions = int(repetitions)
        params, counts = self._normalize_batch_args(programs, params_list, repetitions)
        if any(each < 1 for each in counts):
            raise ValueError("repetitions must be 1 or more")
        sweeps = [
            _Sweep(program, [*cirq.to_resolvers(own)], shots)
            for program, own, shots in zip(programs, params, counts, strict=True)
        ]
        items = [{**item, "seed": self._next_seed()} for each in sweeps for item in each.items()]
        results = iter(self._client.batch(items, **self._fields).results() if items else ())
        return [each.results([next(results) for _ in each.programs]) for each in sweeps]

    async def run_batch_async(
        self,
        programs: Sequence[cirq.AbstractCircuit],
        params_list: Sequence[cirq.Sweepable] | None = None,
        repetitions: int | Sequence[int] = 1,
    ) -> Sequence[Sequence[cirq.Result]]:
        return await self._elsewhere(partial(self.run_batch, programs, params_list, repetitions))

    def _next_seed(self) -> int | None:
        """Return the seed of the next job, or None if the server draws it."""
        return None if self._seed is None else int(self._random.integers(1 << 53))

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, "quantcloud-cirq")

    async def _elsewhere(self, work: Callable[[], T]) -> T:
        """Run something in a thread and wait for it in the loop that runs: duet's or asyncio's."""
        future = self._threads.submit(work)
        try:
            duet.impl.current_task()
        except RuntimeError:
            return await asyncio.wrap_future(future)
        return await AwaitableFuture.wrap(future)


class _Sweep:
    """A circuit and its points: one job, or one for each point if its gates need values."""

    def __init__(
        self,
        circuit: cirq.AbstractCircuit,
        resolvers: Sequence[cirq.ParamResolver],
        repetitions: int,
    ) -> None:
        self._resolvers = resolvers
        self._repetitions = repetitions
        try:
            self.programs = [export(circuit)]
        except (TypeError, ValueError):
            if not cirq.is_parameterized(circuit):
                raise
            # A gate whose decomposition needs the value of a parameter.
            self.programs = [export(cirq.resolve_parameters(circuit, each)) for each in resolvers]
        own = [resolvers] if len(self.programs) == 1 else [[each] for each in resolvers]
        self._values = [
            program.values(points) for program, points in zip(self.programs, own, strict=True)
        ]

    def items(self) -> list[Mapping[str, Any]]:
        """Return the jobs as items of `Client.batch`."""
        common = {"shots": self._repetitions, "packed": True}
        return [
            {**common, "circuit": program.qasm, "parameters": values}
            for program, values in zip(self.programs, self._values, strict=True)
        ]

    def results(self, results: Sequence[Result]) -> list[cirq.Result]:
        """Return the results of the points."""
        records = [
            each
            for program, result in zip(self.programs, results, strict=True)
            for each in self._records(program, result)
        ]
        return [
            cirq.ResultDict(params=resolver, records=each)
            for resolver, each in zip(self._resolvers, records, strict=True)
        ]

    def _records(self, program: Program, result: Result) -> list[dict[str, Any]]:
        sweep: Any = result.sweep
        points = len(sweep)
        arrays = {
            key: np.stack(
                [self._bits(each, sweep.registers[each.name][1], points) for each in registers],
                axis=2,
            )
            for key, registers in program.registers.items()
        }
        return [{key: array[point] for key, array in arrays.items()} for point in range(points)]

    def _bits(self, register: Register, data: bytes, points: int) -> Any:
        """Return points x shots x qubits."""
        bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(points, self._repetitions, -1)
        mask = [register.flipped >> place & 1 for place in reversed(range(register.size))]
        return bits[..., bits.shape[-1] - register.size :] ^ np.array(mask, np.uint8)
