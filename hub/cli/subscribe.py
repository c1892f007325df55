"""``ctihub subscribe``: follows a collection live."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from hub.cli import completing
from hub.cli.client import (
    DEFAULT_URL,
    Bootstrap,
    CaFile,
    KafkaProtocol,
    TokenOption,
    Url,
    User,
    hub_client,
    kafka_broker,
    printable,
    say,
    speaking,
)
from hub.model.errors import HubError, WrongUsage

if TYPE_CHECKING:
    from connectors.sdk.stream import ReceivedChange

After = int | Literal["now"]


class OutputFormat(StrEnum):
    """The output format of a change."""

    JSONL = "jsonl"
    TABLE = "table"


class Via(StrEnum):
    """The door to use."""

    HTTP = "http"
    KAFKA = "kafka"


class _Follows(Protocol):
    seq: int | None
    on_attempt: Callable[[], None]

    @property
    def trouble(self) -> Exception | None: ...

    def changes(self) -> AsyncGenerator[ReceivedChange, None]: ...


Collection = Annotated[str, typer.Argument(help="The collection's name.", autocompletion=completing.readable)]
From = Annotated[
    str,
    typer.Option("--from", metavar="start|now|SEQ", help="All changes, only new ones, or those after change SEQ."),
]
Format = Annotated[OutputFormat, typer.Option("--format", help="One JSON line per change, or a table.")]
Idle = Annotated[
    float | None, typer.Option("--until-idle", min=0.1, metavar="SECONDS", help="End after this long without a change.")
]
WithSeq = Annotated[bool, typer.Option("--with-seq", help="Wrap each JSON line as {seq, object} or {seq, withdrawn}.")]
ViaDoor = Annotated[Via, typer.Option("--via", help="The hub's stream, or Kafka.")]


def command(
    collection: Collection,
    start: From = "start",
    format_: Format = OutputFormat.JSONL,
    until_idle: Idle = None,
    with_seq: WithSeq = False,
    via: ViaDoor = Via.HTTP,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    user: User = None,
    bootstrap: Bootstrap = None,
    protocol: KafkaProtocol = "SASL_SSL",
) -> None:
    """Follow a collection: each change once, in order, also after reconnecting.

    jsonl prints one line per change: the STIX object as the hub shows it, or {"withdrawn": ID, "seq": N}. The last line
    on stderr says where to continue (--from N).
    """
    import asyncio

    after = _after(start)
    with speaking():
        if via is Via.KAFKA:
            broker = kafka_broker(bootstrap, user, token, ca_file, protocol)
            from connectors.sdk.kafka import KafkaFollower

            follower: _Follows = KafkaFollower(broker, collection, after=after)
        else:
            follower = _http(collection, after, url, token, ca_file)
        printed = Printed(_jsonl(with_seq) if format_ is OutputFormat.JSONL else _table())
        try:
            asyncio.run(follow(follower, printed, until_idle))
        except (KeyboardInterrupt, asyncio.CancelledError):
            pass  # Ctrl-C or SIGTERM
        except BrokenPipeError:
            _forget_stdout()
        finally:
            if printed.seq is not None:
                say(f"Read up to change {printed.seq}; continue with --from {printed.seq}.")


def _after(start: str) -> After:
    if start in ("start", "now"):
        return 0 if start == "start" else "now"
    if start.isascii() and start.isdigit():
        return int(start)
    raise WrongUsage("from.invalid", f"--from {start} is neither start, now nor a number.", "Give one of these.")


def _http(collection: str, after: After, url: str, token: str | None, ca_file: str | None) -> _Follows:
    from connectors.sdk.stream import Follower

    if after == "now":
        after = _newest(collection, url, token, ca_file)
    return Follower(url, collection, token, after=after, notify=say, ca_file=ca_file)


def _newest(collection: str, url: str, token: str | None, ca_file: str | None) -> After:
    """Returns the number of the newest change, so that a connection that fails early leaves no gap."""
    try:
        with hub_client(url, token, needs_token=False, ca_file=ca_file) as client:
            found = [info.last_seq for info in client.collections() if info.name == collection]
    except HubError:
        found = []  # a public collection can be read without listing collections
    return found[0] if found else "now"


class Printed:
    """Prints changes, and keeps the number of the last complete one, where a later run continues."""

    def __init__(self, write: Callable[[ReceivedChange], None]) -> None:
        self._write = write
        self.seq: int | None = None

    def __call__(self, change: ReceivedChange) -> None:
        """Print one change."""
        self._write(change)
        self.seq = change.seq


def _end_on_sigterm() -> None:
    """On SIGTERM, end as with Ctrl-C: between changes, and with the last line."""
    import asyncio
    import signal

    task = asyncio.current_task()
    if task and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def follow(follower: _Follows, printer: Printed, until_idle_s: float | None) -> None:
    """Print changes until SIGTERM or, if given, until ``until_idle_s`` seconds pass without one."""
    import asyncio
    from contextlib import aclosing

    _end_on_sigterm()
    try:
        async with asyncio.timeout(None) as silence, aclosing(follower.changes()) as changes:

            def count() -> None:
                if until_idle_s is not None:
                    silence.reschedule(asyncio.get_running_loop().time() + until_idle_s)

            # the time of the first connection attempt does not count, that of later ones does
            follower.on_attempt = lambda: count() if silence.when() is None else None
            async for change in changes:
                printer(change)
                count()
    except TimeoutError:
        if follower.trouble:
            raise follower.trouble from None  # an unavailable hub is not the end of the changes


def _jsonl(with_seq: bool) -> Callable[[ReceivedChange], None]:
    from connectors.sdk.output import write_out

    out = sys.stdout.buffer

    def write(change: ReceivedChange) -> None:
        write_out(out, _line(change, with_seq))

    return write


def _line(change: ReceivedChange, with_seq: bool) -> bytes:
    import orjson

    if change.object is None:
        return orjson.dumps({"withdrawn": change.withdrawn, "seq": change.seq}) + b"\n"
    if with_seq:
        return b'{"seq":%d,"object":%b}\n' % (change.seq, change.object)
    return change.object + b"\n"


def _table() -> Callable[[ReceivedChange], None]:
    import orjson

    print(f"{'SEQ':>8}  {'WHAT':9}  {'TYPE':16}  {'CONF':>4}  SHOWS")

    def write(change: ReceivedChange) -> None:
        if change.object is None:
            kind = (change.withdrawn or "").partition("--")[0]
            print(f"{change.seq:>8}  {'withdrawn':9}  {printable(kind):16.16}  {'':>4}  {printable(change.withdrawn)}")
        else:
            shown = orjson.loads(change.object)
            what = "revoked" if shown.get("revoked") else "object"
            text = printable(shown.get("pattern") or shown.get("name") or shown.get("value") or shown.get("id", ""))
            confidence = printable(shown.get("confidence", ""))
            print(f"{change.seq:>8}  {what:9}  {printable(shown.get('type', '')):16.16}  {confidence:>4}  {text:.160}")
        sys.stdout.flush()

    return write


def _forget_stdout() -> None:
    """The reader of stdout has gone: prevents an error when Python flushes it at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
