"""The worker as a child of the process with the doors, so that doors answer while the worker computes.

A child that dies is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

import structlog

from hub.config import Config
from hub.model.errors import Broken
from hub.worker_process import CHILD, DRAIN_S

_log = structlog.get_logger()

_LONGEST_LINE_BYTES = 1 << 20
_RESTART_S = (0.2, 1.0, 5.0)


class WorkerChild:
    """Keeps one worker running."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._died = 0
        self.is_up = True
        """False from the death of a child until the next one starts."""
        self.metrics = b""
        """The latest metrics of the child, as text."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop``. Raises Broken if a child cannot be started at all."""
        while not stop.is_set():
            child = await self._start()
            self.is_up = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(child))  # ends with the child
                stopping, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(child.wait())
                try:
                    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    stopping.cancel()
                    await _end(child)
                    ended.cancel()
            if not stop.is_set():
                await self._rest(child.returncode)

    async def _rest(self, code: int | None) -> None:
        self.is_up = False
        _log.error("worker.died", code=str(code), way_out="It is started again; see the lines above.")
        await asyncio.sleep(_RESTART_S[min(self._died, len(_RESTART_S) - 1)])
        self._died += 1

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub.worker_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, CHILD: "1"},
            limit=_LONGEST_LINE_BYTES,
        )
        if child.stdin is None:
            raise Broken("worker.no-pipe", "The worker was started without a pipe.")
        child.stdin.write(self._config.as_line())  # over the pipe, because it contains passwords
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await child.stdin.drain()
        return child

    async def _hear(self, child: asyncio.subprocess.Process) -> None:
        """Read the child's metrics: each line on its standard output is a complete new text."""
        if child.stdout is not None:
            async for line in child.stdout:
                self.metrics = json.loads(line).encode()


async def _end(child: asyncio.subprocess.Process) -> None:
    """Let it finish its current step, within the deadline."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(DRAIN_S):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
