"""Tells the operator why credentials were refused. The caller does not learn it, so that it does not help guessing."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from hub.doors.connections import network
from hub.model.tokens import RefusedCredentials

EVERY_S = 60.0
"""The same refusal is logged once in this time, since clients try again and again."""
_MOST_KNOWN = 1_000
_log = structlog.get_logger()


class RefusalLog:
    """The refusals of a process, each logged once in ``EVERY_S``."""

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._logged_s: dict[tuple[str, str, str], float] = {}

    def note(self, refused: RefusedCredentials, address: str | None) -> None:
        """Log a refusal: its code, the token by its full name if it is known, and the address."""
        token = "" if refused.token is None else refused.token.full_name
        key = (refused.why.value, token, network(address or ""))
        now_s = self._monotonic_s()
        if now_s - self._logged_s.get(key, float("-inf")) < EVERY_S:
            return
        if len(self._logged_s) >= _MOST_KNOWN:
            self._logged_s = {each: at_s for each, at_s in self._logged_s.items() if now_s - at_s < EVERY_S}
        if key not in self._logged_s and len(self._logged_s) >= _MOST_KNOWN:
            return  # an attack from very many addresses: it is in the log already
        self._logged_s[key] = now_s
        _log.info("auth.refused", code=refused.why.value, token_name=token or None, address=address)
