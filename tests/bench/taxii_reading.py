"""What pages cost: the hub, OpenTAXII, medallion and the hub's server with prebuilt bytes, in turn."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.bench import taxii_peers, taxii_servers
from tests.bench.doors import START_US, an_indicator
from tests.bench.taxii_client import Page, Puller, Served, pulled_together
from tests.bench.taxii_figures import Figure, Figures

PAGE = 1_000
PULLERS = 10
_ROUNDS = 5
_MEDALLION_OBJECTS = 500
"""Its time grows with the square of the objects: a page of 2,000 objects takes a minute."""
_FROM_A_SECOND = "added_after=2020-01-01T00:00:{:02}Z"
"""Before the first object: the same pages, and another question to whoever keeps answers."""


@dataclass
class Times:
    """Seconds of full pages, by who served them."""

    new: list[float] = field(default_factory=list)
    """The hub's, of pages that nobody has asked for before."""
    again: list[float] = field(default_factory=list)
    """The same pages again."""
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    """Of the first and the last tenth of each walk of ``new``."""
    many: list[float] = field(default_factory=list)
    """The hub's, of a larger collection."""
    limit: list[float] = field(default_factory=list)
    """Of prebuilt bytes."""
    peer: list[float] = field(default_factory=list)
    """OpenTAXII's."""


def measure(figures: Figures, objects: int, many: int) -> None:
    """All figures of reading."""
    bodies = [an_indicator(no, START_US + 20 * no) for no in range(objects)]
    programs = taxii_peers.installed()
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder, contextlib.ExitStack() as stack:
        here = stack.enter_context(taxii_servers.hub(folder, {"community": many, "public": objects}))
        with Puller(here["public"]) as puller:
            pages = list(puller.pages(PAGE))
        limit = stack.enter_context(taxii_servers.prebuilt(pages, here["public"]))
        peer = None
        if programs is None:
            figures.say("OpenTAXII and medallion could not be installed: no ratio to them")
        else:
            peer = stack.enter_context(taxii_peers.open_taxii(programs, Path(folder) / "opentaxii", bodies))
        _add_pages(figures, _pages(here, limit, peer), objects, many)
        _add_together(figures, here["public"], peer, objects // PAGE)
        if programs is not None:
            _add_medallion(figures, programs, Path(folder), bodies[:_MEDALLION_OBJECTS])


def _pages(here: dict[str, Served], limit: Served, peer: Served | None) -> Times:
    times = Times()
    with contextlib.ExitStack() as stack:
        theirs = _full_pages(stack.enter_context(Puller(peer))) if peer else iter(())
        for round_no in range(_ROUNDS):
            query = _FROM_A_SECOND.format(round_no)
            new = _walk(here["public"], query)
            times.new += new
            tenth = max(1, len(new) // 10)
            times.first += new[:tenth]
            times.last += new[-tenth:]
            times.again += _walk(here["public"], query)
            times.limit += _walk(limit)
            times.many += _walk(here["community"], query)
            times.peer += [page.took_s for page in islice(theirs, len(new) // _ROUNDS)]
    return times


def _walk(served: Served, query: str = "") -> list[float]:
    """The seconds of the full pages of a collection but the first, at which the connection opens."""
    with Puller(served) as puller:
        return [page.took_s for page in _full_pages(puller, query)][1:]


def _full_pages(puller: Puller, query: str = "") -> Iterator[Page]:
    """All pages but the last, which is not full."""
    before: Page | None = None
    for page in puller.pages(PAGE, query):
        if before is not None:
            yield before
        before = page


def _add_pages(figures: Figures, times: Times, objects: int, many: int) -> None:
    page_s = statistics.median(times.new)
    limit_s = statistics.median(times.limit)
    figures.say(f"pages of {PAGE:,} at {objects:,} objects")
    figures.add(Figure("the hub, not asked for before, ms", 1_000 * page_s))
    figures.add(Figure("the hub, asked for again, ms", 1_000 * statistics.median(times.again)))
    figures.add(Figure("prebuilt bytes, ms", 1_000 * limit_s))
    figures.add(Figure("rate / that of prebuilt bytes, not asked for before", limit_s / page_s))
    kept = limit_s / statistics.median(times.again)
    figures.add(Figure("rate / that of prebuilt bytes, asked for again", kept, least=1 / 3))
    if times.peer:
        peer_s = statistics.median(times.peer)
        figures.add(Figure("OpenTAXII, ms", 1_000 * peer_s))
        figures.add(Figure("rate / OpenTAXII's", peer_s / page_s, least=80))
    flat = statistics.median(times.last) / statistics.median(times.first)
    figures.add(Figure("time of the last tenth / of the first", flat, most=1.5))
    figures.add(Figure(f"time at {many:,} objects / at {objects:,}", statistics.median(times.many) / page_s, most=1.5))


def _add_together(figures: Figures, here: Served, peer: Served | None, pages: int) -> None:
    """Pullers at once: each with a question of its own, so that none gets what another has asked for."""
    queries = [_FROM_A_SECOND.format(30 + number) for number in range(PULLERS)]
    ours = pulled_together(here, PULLERS, PAGE, queries, pages)
    p99_s = _p99(ours)
    figures.say(f"{PULLERS} pullers at once")
    figures.add(Figure("the hub, median, ms", 1_000 * statistics.median(ours)))
    figures.add(Figure("the hub, p99, ms", 1_000 * p99_s))
    figures.add(Figure("p99 / median", p99_s / statistics.median(ours), most=4))
    figures.add(Figure("pages a second", len(ours) * PULLERS / sum(ours)))
    if peer is not None:
        theirs = pulled_together(peer, PULLERS, PAGE, [""], 5)
        figures.add(Figure("OpenTAXII, p99, ms", 1_000 * _p99(theirs)))
        figures.add(Figure("OpenTAXII's p99 / the hub's", _p99(theirs) / p99_s, least=50))


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) * 99 // 100, len(times) - 1)]


def _add_medallion(figures: Figures, programs: Path, folder: Path, bodies: Sequence[bytes]) -> None:
    with (
        taxii_peers.medallion(programs, folder / "medallion", bodies) as served,
        taxii_servers.hub(str(folder / "small"), {"public": len(bodies)}) as here,
        Puller(served) as theirs,
        Puller(here["public"]) as ours,
    ):
        ratio = statistics.median(
            theirs.get(f"limit={PAGE}").took_s / ours.get(f"limit={PAGE}&{_FROM_A_SECOND.format(number)}").took_s
            for number in range(3)
        )
    figures.add(Figure(f"the only page of {len(bodies):,} objects: medallion's time / the hub's", ratio))
