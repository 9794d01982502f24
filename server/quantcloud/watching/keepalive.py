"""Keepalives: asks idle watches for a checkpoint, with one timer for all of them."""

import asyncio
from collections import OrderedDict

from quantcloud.watching.subscription import Subscription

# Watches that were opened together become due together. After a batch, other tasks can run.
_CHECKPOINTS_PER_BATCH = 64
_PAUSE_SECONDS = 0.005


class Keepalives:
    """Asks idle subscriptions for a checkpoint after `seconds`. Use it from one event loop only."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # When each was sent its last update, on the loop's clock; the oldest first.
        self._since: OrderedDict[Subscription, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def restart(self, subscription: Subscription) -> None:
        """Restart the subscription's time: its watch has just sent an update, or begun."""
        subscription.checkpoint_due = False
        loop = asyncio.get_running_loop()
        self._since[subscription] = now = loop.time()
        self._since.move_to_end(subscription)
        if self._timer is None:
            self._timer = loop.call_at(now + self._seconds, self._fire)

    def forget(self, subscription: Subscription) -> None:
        self._since.pop(subscription, None)

    def _fire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now, notified = loop.time(), 0
        while self._since:
            subscription, since = next(iter(self._since.items()))
            if notified == _CHECKPOINTS_PER_BATCH or since + self._seconds > now:
                due = max(since + self._seconds, now + _PAUSE_SECONDS)
                self._timer = loop.call_at(due, self._fire)
                return
            # `restart` adds it again after the checkpoint was sent.
            del self._since[subscription]
            subscription.ask_checkpoint()
            notified += 1
