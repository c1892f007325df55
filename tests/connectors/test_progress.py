"""How a run shows how far it is: on a terminal, in a log, and not at all."""

from __future__ import annotations

import io

from connectors.sdk.progress import Bar, LogLines, Quiet, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_objects_rate_and_share() -> None:
    terminal = Terminal()
    progress = shown("push", to=terminal)
    assert isinstance(progress, Bar)
    progress.advance(1_500, 10_000, 0.25)
    progress.note("The hub is busy. [red]Trying again.")
    progress.advance(500, 10_000, 0.5)
    progress.close()
    text = terminal.getvalue()
    for said in ("push", "2,000 objects", "/s", "50%", "The hub is busy. [red]Trying again."):
        assert said in text


def test_a_source_without_a_size_shows_what_is_known() -> None:
    terminal = Terminal()
    progress = shown("push", to=terminal)
    progress.advance(7, 100, None)
    progress.close()
    assert "7 objects" in terminal.getvalue()


def test_a_log_gets_lines_with_fields() -> None:
    log = io.StringIO()
    progress = shown("csv", to=log)
    assert isinstance(progress, LogLines)
    progress.advance(10, 1_000, 0.5)
    progress.note("The hub is busy.")
    progress.close()
    note, last = log.getvalue().splitlines()
    assert 'level=warning event=connector.note connector=csv says="The hub is busy."' in note
    assert "event=connector.finished connector=csv count=10 bytes=1000 " in last
    assert last.endswith("percent=50")


def test_a_log_says_what_reports_and_leaves_out_a_size_that_there_is_not() -> None:
    log = io.StringIO()
    progress = shown("verify", to=log, kind="command")
    progress.advance(10, 0, 1.0)
    progress.close()
    assert "event=command.finished command=verify count=10 per_s=" in log.getvalue()


def test_quiet_shows_only_notes() -> None:
    log = io.StringIO()
    progress = shown("push", quiet=True, to=log)
    assert isinstance(progress, Quiet)
    progress.advance(10, 1_000, 0.5)
    progress.note("The hub is busy.")
    progress.close()
    assert log.getvalue() == "The hub is busy.\n"
