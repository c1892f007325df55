"""How logs look in tests: as lines, with plain tracebacks, since the pretty ones take a second each."""

from __future__ import annotations

import structlog


def plain() -> None:
    """Undo what a test configured."""
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
