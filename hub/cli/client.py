"""Shared parts of the client commands: address, credentials, and the translation of the SDK's errors.

This module is imported to print help, so slow imports are inside functions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import address
from hub.cli.problems import ProblemLine, ProblemsByCode, where_of
from hub.model.errors import HubError, NotAllowed, NotAuthenticated, NotFound, Refused, TryAgain, WrongUsage

if TYPE_CHECKING:
    from rich.console import Console

    from connectors.sdk.client import HubClient, Notify
    from connectors.sdk.errors import ConnectorError
    from connectors.sdk.kafka import KafkaAccess
    from connectors.sdk.progress import Progress
    from connectors.sdk.publisher import Publisher
    from connectors.sdk.runner import RunReport
    from connectors.sdk.verdicts import Verdicts

DEFAULT_URL = "http://127.0.0.1:8480"
_WIDE = 300


def _or_running(context: typer.Context, url: str) -> str:
    """Returns the address that was given, or else that of the hub that runs here."""
    source = context.get_parameter_source("url")
    if source is None or source.name != "DEFAULT":
        return url
    return address.found_here() or url


Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="CTIHUB_URL",
        help="The hub's address; by default that of a hub that runs here.",
        rich_help_panel="The hub",
        callback=_or_running,
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="CTIHUB_TOKEN", help="Your token.", show_default=False, rich_help_panel="The hub"),
]
CaFile = Annotated[
    str | None,
    typer.Option("--ca-file", help="Certificates of the hub's certificate authority (PEM).", rich_help_panel="The hub"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
User = Annotated[str | None, typer.Option("--user", help="Your name at the hub.", rich_help_panel="Kafka")]
Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", envvar="CTIHUB_KAFKA_BOOTSTRAP", help="host:port,…", rich_help_panel="Kafka"),
]
KafkaProtocol = Annotated[
    str, typer.Option("--protocol", help="SASL_SSL, SASL_PLAINTEXT or PLAINTEXT.", rich_help_panel="Kafka")
]
PatienceOption = Annotated[
    float, typer.Option("--patience", min=0, metavar="SECONDS", help="How long to retry while the hub is unavailable.")
]


@contextmanager
def hub_client(
    url: str,
    token: str | None,
    *,
    needs_token: bool = True,
    ca_file: str | None = None,
    patience_s: float | None = 60.0,
    notify: Notify | None = None,
) -> Iterator[HubClient]:
    """A client for the duration of a command; raises its errors as errors of the hub."""
    with speaking():
        from connectors.sdk.client import HubClient

        if needs_token:
            require_token(token)
        client = HubClient(url, token, ca_file=ca_file, patience_s=patience_s, notify=notify or say)
        try:
            yield client
        finally:
            client.close()


def require_token(token: str | None) -> str:
    """Returns the token. Raises WrongUsage if there is none."""
    if not token:
        raise WrongUsage("token.missing", "This command needs a token.", "Give --token, or set CTIHUB_TOKEN.")
    return token


@contextmanager
def speaking() -> Iterator[None]:
    """Translate errors of the SDK to errors of the hub. ``notify`` reports retries; stamina's logs are off."""
    import stamina.instrumentation

    from connectors.sdk.errors import ConnectorError

    stamina.instrumentation.set_on_retry_hooks([])
    try:
        yield
    except ConnectorError as error:
        raise in_hub_words(error) from error


def in_hub_words(error: ConnectorError) -> HubError:
    """Returns the error as one of the hub's classes, which determine the exit code."""
    from connectors.sdk.errors import PublishRefused, TryLater, WrongSettings

    match error:
        case WrongSettings():
            return WrongUsage(error.code, error.says, error.way_out)
        case TryLater():
            wait_s = int(error.retry_after_s or 1)
            return TryAgain(error.code, error.says, error.way_out, retry_after_s=wait_s)
        case PublishRefused():
            kinds: dict[int | None, type[Refused]] = {401: NotAuthenticated, 403: NotAllowed, 404: NotFound}
            return kinds.get(error.status, Refused)(error.code, error.says, error.way_out)
        case _:
            return Refused(error.code, error.says, error.way_out)


def say(text: str) -> None:
    """Print one sentence to stderr, apart from the data."""
    print(printable(text), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    import orjson

    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    sys.stdout.write(orjson.dumps(value, option=option).decode() + "\n")


def printable(text: object) -> str:
    """Returns text that is safe for a terminal: received text must not move the cursor or change colours."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "\ufffd" for c in str(text))


class RetryMessages:
    """Reports retries: in the current progress display, or else as messages."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __call__(self, text: str) -> None:
        """Report one sentence."""
        (self._progress.note if self._progress else say)(printable(text))

    @contextmanager
    def over(self, what: str, *, quiet: bool) -> Iterator[Progress]:
        """A progress display for the duration of the block, always closed at the end."""
        from connectors.sdk.progress import shown

        self._progress = progress = shown(what, quiet=quiet)
        try:
            yield progress
        finally:
            self._progress = None
            progress.close()


def verdicts_on(
    client: HubClient,
    publisher: Publisher,
    report: RunReport,
    retries: RetryMessages,
    *,
    quiet: bool,
    all_problems: bool = False,
) -> Verdicts:
    """Waits for the hub's verdicts on the published objects and returns them."""
    from connectors.sdk.verdicts import collect

    with retries.over("verdicts", quiet=quiet or len(report.receipts) < 2) as progress:
        verdicts = collect(client, report.receipts, progress=progress, all_problems=all_problems)
    verdicts.add_places(report.places, report.places_too_large)
    verdicts.add_too_large(publisher.too_large)
    return verdicts


def kafka_broker(
    bootstrap: str | None, user: str | None, token: str | None, ca_file: str | None, protocol: str
) -> KafkaAccess:
    """Returns the Kafka access of the options. Raises WrongUsage."""
    from connectors.sdk.kafka import PROTOCOLS, KafkaAccess

    if not user or not bootstrap:
        raise WrongUsage("kafka.unnamed", "Kafka needs --user and --bootstrap.", "The user is your name at the hub.")
    known = next((one for one in PROTOCOLS if one == protocol), None)
    if known is None:
        raise WrongUsage("kafka.protocol", f"There is no protocol {protocol}.", f"There are {', '.join(PROTOCOLS)}.")
    return KafkaAccess(bootstrap, user, token if known == "PLAINTEXT" else require_token(token), ca_file, known)


def console() -> Console:
    """Returns the console for tables: as wide as the terminal, or wide enough for whole lines in a pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def named_or_piped(names: Iterable[str]) -> list[str]:
    """The arguments of a command; ``-`` stands for the lines of standard input that are not empty."""
    piped = (line.strip() for line in sys.stdin)
    return [line for name in names for line in (filter(None, piped) if name == "-" else [name])]


def print_verdicts(
    verdicts: Verdicts, *, as_json: bool, verb: str = "received", with_unchanged: bool = False, show_all: bool = False
) -> None:
    """Print the counts (stdout) and the problems by code (stderr), rejections before warnings. ``with_unchanged``: also
    why something was unchanged.
    """
    if as_json:
        print_json(verdicts.as_json())
        return
    told = ProblemsByCode(keep_all=show_all)
    for one in verdicts.problems:
        if with_unchanged or one.state != "unchanged":
            where = where_of(verdicts.places.at(one.index), one.index, one.id)
            told.add(ProblemLine(one.state, one.code, where, one.message))
    for line in told.lines():
        say(str(line))
    if verdicts.has_more:
        say(f"There are more problems than these {len(verdicts.problems):,}; --json prints all.")
    counts = verdicts.counts()
    print(f"{verb} {counts.pop('received'):,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
