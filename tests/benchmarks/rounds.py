"""Rounds: every side of a comparison once each, in turn, so that drift hits all alike."""

import gc
from collections.abc import Awaitable, Callable, Mapping

Side = Callable[[], Awaitable[float]]


async def interleaved(
    sides: Mapping[str, Side], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """Each side's values of `rounds` rounds; those of the `warm_up` rounds before are dropped.

    Every other round goes through the sides in reverse.
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
