"""Which watches want a checkpoint: one timer for all of them."""

import asyncio
from collections import OrderedDict

from quantcloud.watching.subscription import Subscription

# Watches that were opened together fall quiet together. So many are told at a time, and then
# everybody else has a turn.
_CHECKPOINTS_A_TURN = 64
_PAUSE_SECONDS = 0.005


class Keepalives:
    """Tells each subscription when it was sent nothing for `seconds`. Belongs to one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # Since when, on the loop's clock; the longest first.
        self._since: OrderedDict[Subscription, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def heard(self, subscription: Subscription) -> None:
        """Its watcher was sent something now, or has just come."""
        subscription.quiet = False
        loop = asyncio.get_running_loop()
        self._since[subscription] = now = loop.time()
        self._since.move_to_end(subscription)
        if self._timer is None:
            self._timer = loop.call_at(now + self._seconds, self._tell)

    def forget(self, subscription: Subscription) -> None:
        self._since.pop(subscription, None)

    def _tell(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now, told = loop.time(), 0
        while self._since:
            subscription, since = next(iter(self._since.items()))
            if told == _CHECKPOINTS_A_TURN or since + self._seconds > now:
                due = max(since + self._seconds, now + _PAUSE_SECONDS)
                self._timer = loop.call_at(due, self._tell)
                return
            # It is back once the checkpoint is sent.
            del self._since[subscription]
            subscription.fall_quiet()
            told += 1
