"""The output of the demo: a live view on a terminal, plain lines elsewhere; a table; commands to try next."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from deploy.demo.__main__ import Centre, Member
    from schemas.api import Status

_TLP = {
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": ("CLEAR", "white"),
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": ("GREEN", "green"),
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": ("AMBER", "yellow"),
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": ("AMBER+STRICT", "yellow"),
}
_LINES = 12
_EXAMPLE_CHARS = 72
_STATES = ("received", "accepted", "unchanged", "held", "rejected")


class Screen:
    """Prints everything of the demo."""

    def __init__(self, *, kafka: bool) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = 132
        self._live: Live | None = None
        self._parts: tuple[Sequence[Centre], Member] | None = None
        where = "Kafka and PostgreSQL" if kafka else "one process, two files, no server"
        self.console.print(Panel(f"[bold]ctihub[/] · three national centres, one member · {where}", expand=False))

    def step(self, text: str) -> None:
        """Print one line about the next step."""
        self.console.print(f"[dim]▸[/] {text}")

    def say(self, commands: Sequence[tuple[str, str]]) -> None:
        """Print commands to try next, each on separate lines without wrapping."""
        self.console.print("[bold]Paste next[/]")
        for what, command in commands:
            self.console.print(f"\n[dim]# {what}[/]")
            self.console.print(Text(command), soft_wrap=True)
        self.console.print("\n[dim]Credentials for scripts: ctihub-demo/demo.json[/]\n")

    @contextlib.contextmanager
    def live(self, centres: Sequence[Centre], member: Member) -> Iterator[None]:
        """Show the flow while the block runs."""
        self._parts = (centres, member)
        if not self.console.is_terminal:
            self.step("three connectors push, a member follows")
            yield
            self.step(f"the member saw {member.seen:,} changes live")
            return
        with Live(self._picture(), console=self.console, refresh_per_second=12) as self._live:
            yield
            self._live.update(self._picture())
        self._live = None

    def refresh(self) -> None:
        """Show the current state."""
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        if self._parts is None:
            return Text()
        centres, member = self._parts
        left = Table(box=None, padding=(0, 1))
        for title in ("centre", "connector", "published"):
            left.add_column(title, justify="right" if title == "published" else "left", style="cyan")
        for centre in centres:
            left.add_row(centre.name, centre.connector, f"{centre.published:,}")
        lines = [_line(obj) for obj in member.latest[-_LINES:]]
        right = Group(*lines, *([Text()] * (_LINES - len(lines))))
        title = f"member soc · community · {member.seen:,} changes · {member.merged:,} merged"
        return Columns([Panel(left, title="centres push"), Panel(right, title=title, width=86)])

    def table(self, centres: Sequence[Centre], shown: Mapping[str, tuple[int, int]], status: Status) -> None:
        """Print the summary."""
        came = Table(title="What the centres sent", box=box.SIMPLE_HEAD, title_justify="left")
        came.add_column("centre")
        came.add_column("by")
        for name in _STATES:
            came.add_column(name, justify="right")
        for centre in centres:
            counts = centre.verdicts.counts()
            came.add_row(centre.name, centre.connector, *(f"{counts[name]:,}" for name in _STATES))
        if status.flow is not None:
            total = [f"[bold]{getattr(status.flow, name):,}[/]" for name in _STATES]
            came.add_row("[bold]hub[/]", "", *total)
        self.console.print(came)
        self.console.print(_problems(centres))
        out = Table(title="What they see, as a TAXII client pulls it", box=box.SIMPLE_HEAD, title_justify="left")
        for title in ("collection", "for whom", "objects", "merged from several centres"):
            out.add_column(title, justify="left" if title in ("collection", "for whom") else "right")
        whom = {"public": "anyone", "community": "accredited members", "network": "the centres"}
        for name, (objects, merged) in shown.items():
            out.add_row(name, whom[name], f"{objects:,}", f"{merged:,}")
        self.console.print(out)


def _line(obj: Mapping[str, Any]) -> Text:
    said = next((value for value in (obj.get("extensions") or {}).values() if "sources" in value), {})
    seen = said.get("observables") or ()
    what = seen[0]["value"] if seen else obj.get("name") or obj.get("relationship_type") or obj["id"]
    label, colour = next((_TLP[ref] for ref in obj.get("object_marking_refs", ()) if ref in _TLP), ("", "white"))
    by = "+".join(source["name"] for source in said.get("sources", ()))
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{obj['type']:<19.19}", "dim")
    text.append(f"{what!s:<38.38} ", "bold" if len(said.get("sources", ())) > 1 else "")
    text.append(f"{label:<7}", colour)
    text.append(f"{by:<9} ", "cyan")
    if "confidence" in obj:
        text.append(f"{obj['confidence']:>3}")
    return text


def _problems(centres: Sequence[Centre]) -> Table:
    found = Table(title="Why some did not pass", box=box.SIMPLE_HEAD, title_justify="left")
    found.add_column("state", no_wrap=True)
    found.add_column("code", no_wrap=True)
    found.add_column("objects", justify="right", no_wrap=True)
    found.add_column("for example", no_wrap=True)
    several: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for centre in centres:
        for problem in centre.verdicts.problems:
            if problem.state in ("held", "rejected"):
                several[problem.state, problem.code] += 1
                example.setdefault(
                    (problem.state, problem.code), shorten(problem.message, _EXAMPLE_CHARS, placeholder="…")
                )
    for (state, code), count in sorted(several.items()):
        found.add_row(state, code, f"{count:,}", example[state, code])
    return found


def said_at_the_end(url: str, document: Mapping[str, Any], value: str) -> list[tuple[str, str]]:
    """Returns (purpose, command) of the commands to try next."""
    member, centre = document["member"], document["centres"][0]
    community = next(one["id"] for one in document["collections"] if one["name"] == "community")
    ctihub = ".venv/bin/ctihub"
    return [
        (
            "the list for a resolver",
            f"curl -s -u soc:{member['token']} '{url}/v1/collections/community/export.txt?type=domain-name' | head",
        ),
        (
            "any TAXII 2.1 client, unmodified",
            ".venv/bin/python - <<'EOF'\n"
            "from taxii2client.v21 import Collection, as_pages\n"
            f"url = '{url}/taxii2/root/collections/{community}/'\n"
            f"community = Collection(url, user='soc', password='{member['token']}')\n"
            "for page in as_pages(community.get_objects, per_request=1000):\n"
            "    print(len(page.get('objects', [])), 'objects')\n"
            "EOF",
        ),
        (
            "why the hub shows what it shows, as far as this centre may know it",
            f"{ctihub} explain {value} --url {url} --token {centre['token']}",
        ),
        (
            "the stream",
            f"{ctihub} subscribe community --format table --url {url} --token {member['token']}",
        ),
    ]
