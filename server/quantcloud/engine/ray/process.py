"""Starts the Ray driver, starts it again when it ends, and carries messages."""

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

from quantcloud.engine.pool import child
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.configuration import Configuration
from quantcloud.engine.ray.messages import Message
from quantcloud.engine.sandbox import confinement

_log = logging.getLogger(__name__)

_PROGRAM = "from quantcloud.engine.ray.driver import main; main({})"

# Seconds before another driver is started, doubled each time one ends without having connected.
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0

# How much of what a driver wrote to standard error goes to the log, in bytes.
_MAX_ERROR_TEXT = 2048


class DriverProcess:
    """The driver of one server, for as long as `run` does. Lives on one event loop.

    `on_message` is called with all that it says, and `on_end` when it has ended.
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
        """Say something to the driver; lost where it has ended."""
        if self._writer is not None:
            self._writer.write(message.pack())

    async def run(self) -> None:
        """Keep a driver until cancelled. Call it on the thread that the event loop runs on."""
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
        """Start a driver and listen to it until it ends; whether it had connected, and its status.

        A cancelled call ends it.
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
            # Not by a task: it is to have ended even where this one is cancelled.
            await asyncio.shield(asyncio.to_thread(child.wait, process))
        return connected, process.returncode


def _start(
    errors: IO[bytes], configuration: Configuration
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    # Ray has its own variables, among them what opens a cluster that asks for a token.
    own = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    environment = {
        **confinement.environment(confinement.import_path(), os.environ),
        **own,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    # Ray adds the driver's folder to the path of its workers, where circuits may read.
    return child.start(_PROGRAM, environment, errors, sys.prefix, configuration.encode())
