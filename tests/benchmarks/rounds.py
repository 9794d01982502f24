"""Rounds: each side of a comparison runs once per round, so that drift affects all sides."""

import gc
from collections.abc import Awaitable, Callable, Mapping

Side = Callable[[], Awaitable[float]]


async def interleaved(
    sides: Mapping[str, Side], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """Return each side's values of `rounds` rounds, without those of `warm_up` earlier rounds.

    Every second round runs the sides in reverse order.
    """
    values: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            gc.collect()
            value = await sides[name]()
            if number >= warm_up:
                values[name].append(value)
    return values
