"""Logs, configured once per process. Events are named ``room.event``; everything variable is a field.

Standard logging (uvicorn, aiokafka) has the same form. Anything that looks like a token is masked.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog

_TOKEN = re.compile(r"ctihub_[A-Za-z0-9_-]{20,}")
"""See ``hub/registry/tokens.py``."""

_QUIET = {
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
}
"""Loggers of libraries that write one line per request or statement."""


def configure(level: str = "info", form: str = "console", *, stream: TextIO | None = None) -> None:
    """Send all logs to ``stream`` (by default standard error), as ``console`` or ``json`` lines."""
    out = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Formatter(foreign_pre_chain=shared, processors=_last_steps(form, out)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_number(level))
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, _number(level)))


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _last_steps(form: str, out: TextIO) -> list[structlog.types.Processor]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if form == "json":
        return [drop, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback  # the default traceback prints local variables, which may hold marked data
    return [drop, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """A second safeguard: masks tokens in headers or addresses that are logged by mistake."""

    def format(self, record: logging.LogRecord) -> str:
        return _TOKEN.sub("ctihub_…", super().format(record))
