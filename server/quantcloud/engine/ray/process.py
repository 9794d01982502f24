"""Starts the Ray driver, restarts it when it ends, and carries its messages."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import tempfile
from asyncio import StreamWriter
from collections.abc import Callable
from typing import IO

from quantcloud.aio import offload
from quantcloud.engine.pool import child
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.messages import Configuration, Message
from quantcloud.engine.sandbox import confinement

_log = logging.getLogger(__name__)

_PROGRAM = "from quantcloud.engine.ray.driver import main; main({})"

# Seconds before another driver is started. The delay doubles each time one ends without connecting.
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0

# How much of a driver's standard error goes to the log, in bytes.
_MAX_ERROR_TEXT = 2048


class DriverProcess:
    """The driver of one server, on one event loop. It lives while `run` does.

    `on_message` is called with each of its messages, and `on_end` each time it ends.
    """

    def __init__(
        self,
        configuration: Callable[[], Configuration],
        on_message: Callable[[Message], None],
        on_end: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._on_message = on_message
        self._on_end = on_end
        self._writer: StreamWriter | None = None

    def send(self, message: Message) -> None:
        """Send a message to the driver. It is lost if the driver has ended."""
        if self._writer is not None:
            self._writer.write(message.pack())

    async def run(self) -> None:
        """Keep a driver running until cancelled. Call it on the thread of the event loop."""
        delay = _FIRST_DELAY
        while True:
            try:
                with tempfile.TemporaryFile() as errors:
                    was_connected, status = await self._serve(errors)
                    if was_connected:
                        delay = _FIRST_DELAY
                        text = child.tail(errors, _MAX_ERROR_TEXT)
                        _log.error("the Ray driver ended with status %s: %s", status, text)
            except OSError as error:
                _log.error("the Ray driver cannot be started: %s", error)
            self._on_end()
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _serve(self, errors: IO[bytes]) -> tuple[bool, int]:
        """Start a driver and read its messages until it ends. Cancelling the call ends it.

        Return whether the driver had connected, and its exit status.
        """
        process, ours = _start(errors, self._configuration())
        connected = False
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
            while (message := await ray_messages.receive(reader)) is not None:
                connected = connected or message.kind == ray_messages.NODES
                self._on_message(message)
        finally:
            if self._writer is not None:
                self._writer.transport.abort()
                self._writer = None
            # A thread, so that the driver ends even if this task is cancelled.
            await asyncio.shield(offload.run(offload.UNKNOWN, child.wait, process))
        return connected, process.returncode


def _start(
    errors: IO[bytes], configuration: Configuration
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    # Ray has its own variables. One holds the token of a cluster that asks for one.
    own = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    environment = {
        **confinement.environment(confinement.import_path(), os.environ),
        **own,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    # Ray adds the driver's folder to its workers' import path, where circuits may read.
    return child.start(_PROGRAM, environment, errors, sys.prefix, configuration)
