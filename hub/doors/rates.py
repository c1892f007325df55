"""Limits how many requests each principal sends, or each address that sends no credentials.

Who sends faster waits for its turn, since many clients lose data at any error; only who lets many requests wait at once
is refused. So one principal cannot take the whole process from the others.

Source: the generic cell rate algorithm (ITU-T I.371, annex A): a token bucket with one number for each caller, the time
at which its bucket is full again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request

from hub.doors import metrics
from hub.doors.connections import network
from hub.model.errors import TooMany
from hub.model.principals import Principal

BURST_S = 10.0
"""So many seconds' worth of requests may come at once."""
PATIENCE_S = 2.0
"""How long a request waits for its turn at most: who sends one after the other waits less."""
_MOST_CALLERS = 10_000
_log = structlog.get_logger()

Caller = tuple[str, str]
"""What is counted: a ``principal`` by its name, or an ``address``."""


class Rates:
    """The requests of each caller in this process. Belongs to one event loop."""

    def __init__(
        self,
        per_s: int,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``per_s``: requests per second of each caller; 0: no limit."""
        self._step_s = 1 / per_s if per_s else 0.0
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._full_s: dict[Caller, float] = {}
        """When the bucket of each caller is full again; those that are full already may be missing."""

    async def take(self, caller: Caller) -> None:
        """Count a request, and wait for its turn. Raises TooMany if that would take longer than ``PATIENCE_S``."""
        if not self._step_s:
            return
        wait_s = self._wait_s(caller)
        if wait_s > PATIENCE_S:
            metrics.REQUESTS_LIMITED.labels("refused").inc()
            _log.info("request.too_many", **{caller[0]: caller[1]})
            raise TooMany(
                "http.too-many-requests",
                f"This {caller[0]} sends too many requests at once.",
                "Wait for the answers, or send more with each request.",
                retry_after_s=math.ceil(wait_s - PATIENCE_S),
            )
        if wait_s > 0:
            metrics.REQUESTS_LIMITED.labels("delayed").inc()
            await self._sleep(wait_s)

    def _wait_s(self, caller: Caller) -> float:
        """Returns how long a request waits; it is counted unless it would wait too long."""
        now_s = self._monotonic_s()
        full_s = max(self._full_s.get(caller, now_s), now_s) + self._step_s
        wait_s = full_s - now_s - BURST_S
        if wait_s <= PATIENCE_S:
            self._make_room(caller, now_s)
            self._full_s[caller] = full_s
        return wait_s

    def _make_room(self, caller: Caller, now_s: float) -> None:
        """Bound the memory: forget the callers whose buckets are full; if too many are left, forget all of them."""
        if caller in self._full_s or len(self._full_s) < _MOST_CALLERS:
            return
        self._full_s = {each: full_s for each, full_s in self._full_s.items() if full_s > now_s}
        if len(self._full_s) >= _MOST_CALLERS:
            self._full_s.clear()


def caller_of(request: Request, principal: Principal | None, *, behind_proxy: bool) -> Caller | None:
    """Returns whose request it is; None for one without credentials that came through a proxy, whose address they all
    have.
    """
    if principal is not None:
        return "principal", principal.name
    if behind_proxy or request.client is None:
        return None
    return "address", network(request.client.host)
