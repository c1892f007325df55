"""What adding objects over TAXII costs, and what pullers get and cost meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

import orjson
import stix2

from tests.bench import taxii_peers
from tests.bench.ingest import received
from tests.bench.taxii_client import Puller, Served, following
from tests.bench.taxii_figures import Figure, Figures
from tests.running import RunningHub, in_threads
from tests.story import an_indicator, uid
from tests.waiting import LONG_S, wait_until

BUNDLE = 1_000
_ROUNDS = 5
_SINGLES = 3_000
_CONNECTIONS = 4
_PARSED = 1_000
ACKNOWLEDGED = 10_000
WRITERS = 2
_ENVELOPE = 50
_IDLE_POLLS = 20
PULLERS = 50
_PAGE = 100
_PAUSE_S = 1.0
"""Between two pages of a puller."""
_PUSHED = 10_000
_INGEST_ROUNDS = 3


def objects(count: int, first: int = 0) -> list[bytes]:
    """So many indicators of different addresses, from the number ``first`` on."""
    return [
        orjson.dumps(an_indicator(f"46.{no >> 16}.{no >> 8 & 255}.{no & 255}", uid("taxii", no), name=uid("taxii", no)))
        for no in range(first, first + count)
    ]


def _envelope(some: Sequence[bytes]) -> bytes:
    return b'{"objects":[%s]}' % b",".join(some)


def _intake(hub: RunningHub, name: str = "ro") -> Served:
    """Where a source adds objects."""
    bearer, root = f"Bearer {hub.tokens[name]}", "/taxii2/root/collections/"
    with Puller(Served("hub", hub.port, root, bearer)) as puller:
        found = json.loads(puller.get("").body)["collections"]
    (intake,) = (one["id"] for one in found if one["can_write"])
    return Served("hub", hub.port, f"{root}{intake}/objects/", bearer)


def _community(hub: RunningHub, reader: str = "soc") -> Served:
    path = f"/taxii2/root/collections/{hub.collection_id('community', reader)}/objects/"
    return Served("hub", hub.port, path, f"Bearer {hub.tokens[reader]}")


def _add(puller: Puller, some: Sequence[bytes]) -> float:
    """The seconds until the objects are acknowledged."""
    took_s, status, told = puller.post(_envelope(some))
    if status != 202:
        raise RuntimeError(f"{status}: {told[:500]!r}")
    return took_s


def _until_done(hub: RunningHub, count: int) -> None:
    with hub.client("watch") as watch:
        wait_until(lambda: received(watch) >= count, within_s=LONG_S, what=f"{count:,} objects are processed")


# ---------------------------------------------------------------- bundles


def measure_bundles(figures: Figures) -> None:
    """POST of bundles of a thousand, in turns with OpenTAXII."""
    figures.say(f"POST of {BUNDLE:,} objects at once, until they are acknowledged")
    programs = taxii_peers.installed()
    some = objects(BUNDLE * (_ROUNDS + 1))
    ours, theirs, done = [], [], []
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder, contextlib.ExitStack() as stack:
        hub = RunningHub(Path(folder) / "hub")
        hub.register(["ro"])
        stack.enter_context(hub.running())
        here = stack.enter_context(Puller(_intake(hub)))
        there = None
        if programs is None:
            figures.say("OpenTAXII could not be installed: no ratio to it")
        else:
            peer = taxii_peers.open_taxii(programs, Path(folder) / "opentaxii", [])
            there = stack.enter_context(Puller(stack.enter_context(peer)))
        for round_no in range(_ROUNDS + 1):
            bundle = some[round_no * BUNDLE : (round_no + 1) * BUNDLE]
            began = time.monotonic()
            ours.append(_add(here, bundle))
            _until_done(hub, (round_no + 1) * BUNDLE)  # or it would slow the other down
            done.append(time.monotonic() - began)
            if there is not None:
                theirs.append(there.post(_envelope(bundle))[0])
                assert taxii_peers.stored_by_open_taxii(Path(folder) / "opentaxii") == (round_no + 1) * BUNDLE
    figures.add(Figure("the hub, objects/s", BUNDLE / statistics.median(ours[1:])))
    figures.add(Figure("the same, until they are processed, objects/s", BUNDLE / statistics.median(done[1:])))
    if theirs:
        ratio = statistics.median(other / own for own, other in zip(ours[1:], theirs[1:], strict=True))
        figures.add(Figure("OpenTAXII, objects/s", BUNDLE / statistics.median(theirs[1:])))
        figures.add(Figure("rate / OpenTAXII's", ratio, least=10))


# ---------------------------------------------------------------- single objects


def measure_singles(figures: Figures) -> None:
    """A request for each object, with the hub on one core, over the rate of ``stix2.parse``."""
    figures.say(f"POST of one object, {_SINGLES:,} times over {_CONNECTIONS} connections, the hub on one core")
    some = objects(_SINGLES)
    before_s = _parse_s(some)
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder, _on_one_core(Path(folder)) as hub:
        where = _intake(hub)

        def add_share(first: int) -> None:
            with Puller(where) as puller:
                for one in some[first::_CONNECTIONS]:
                    _add(puller, [one])

        began = time.monotonic()
        in_threads(*(partial(add_share, first) for first in range(_CONNECTIONS)))
        acknowledged_s = (time.monotonic() - began) / _SINGLES
        _until_done(hub, _SINGLES)
        each_s = (time.monotonic() - began) / _SINGLES
    parse_s = statistics.mean((before_s, _parse_s(some)))
    figures.add(Figure("acknowledged, objects/s", 1 / acknowledged_s))
    figures.add(Figure("processed, objects/s", 1 / each_s))
    figures.add(Figure("stix2.parse, objects/s", 1 / parse_s))
    figures.add(Figure("processed / parsed", parse_s / each_s, least=0.14))


def _parse_s(some: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for one in some[:_PARSED]:
        stix2.parse(one)
    return (time.perf_counter() - began) / _PARSED


@contextlib.contextmanager
def _on_one_core(folder: Path) -> Iterator[RunningHub]:
    """A hub on one core, and this process on the others."""
    hub = RunningHub(folder)
    hub.register(["ro"])
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})  # what is started now inherits it
    try:
        hub.start()
        os.sched_setaffinity(0, everywhere - {min(everywhere)} or everywhere)
        yield hub
    finally:
        hub.stop()
        os.sched_setaffinity(0, everywhere)


# ---------------------------------------------------------------- pulling while others write


class _Follower:
    """Pulls with ``added_after`` and nothing else; ``digits`` of a second are all that it keeps of a date."""

    def __init__(self, served: Served, digits: int) -> None:
        self._puller = Puller(served)
        self._cut = len("2026-01-01T00:00:00.") + digits
        self._after = ""
        self.names: list[str] = []

    def poll(self) -> int:
        """The number of indicators of one page."""
        page = self._puller.get(f"limit={_PAGE}{self._after and '&added_after=' + quote(self._after)}")
        found = [one["name"] for one in json.loads(page.body).get("objects", ()) if one["type"] == "indicator"]
        self.names += found
        self._after = page.headers["x-taxii-date-added-last"][: self._cut].rstrip("Z") + "Z"
        return len(found)

    def poll_until(self, done: list[bool]) -> None:
        """Poll until there is nothing new although all is done."""
        while self.poll() or not done:
            pass


def measure_missed(figures: Figures) -> None:
    """Two writers, and pullers that know only ``added_after``."""
    figures.say(f"{WRITERS} writers of {ACKNOWLEDGED:,} objects, and pullers that know only added_after")
    share = ACKNOWLEDGED // WRITERS
    shares = [objects(share, no * share) for no in range(WRITERS)]
    centres = [f"c{no}" for no in range(WRITERS)]
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        hub = RunningHub(Path(folder))
        hub.register(centres)
        with hub.running():
            followers = {digits: _Follower(_community(hub), digits) for digits in (6, 3)}
            done: list[bool] = []

            def write() -> None:
                try:
                    in_threads(*(partial(_add_all, hub, *each) for each in zip(centres, shares, strict=True)))
                    _until_done(hub, ACKNOWLEDGED)
                finally:
                    done.append(True)

            in_threads(write, *(partial(each.poll_until, done) for each in followers.values()))
            idle = {digits: sum(each.poll() for _ in range(_IDLE_POLLS)) for digits, each in followers.items()}
    wanted = {json.loads(one)["name"] for share in shares for one in share}
    for digits, each in followers.items():
        kept = "all of a date" if digits == 6 else "milliseconds"
        figures.add(Figure(f"missed by who keeps {kept}", len(wanted - set(each.names)), most=0))
        figures.add(
            Figure(f"got again meanwhile by who keeps {kept}", len(each.names) - len(set(each.names)) - idle[digits])
        )
        figures.add(Figure(f"got again when idle by who keeps {kept}", idle[digits], most=0))


def _add_all(hub: RunningHub, centre: str, some: Sequence[bytes]) -> None:
    with Puller(_intake(hub, centre)) as puller:
        for first in range(0, len(some), _ENVELOPE):
            _add(puller, some[first : first + _ENVELOPE])


# ---------------------------------------------------------------- ingest beside pullers


def measure_ingest(figures: Figures) -> None:
    """The rate of ingest with many pullers over that without, in turns."""
    figures.say(f"ingest beside {PULLERS} pullers that follow the collection in pages of {_PAGE}")
    turns = [None, _PAUSE_S, None, 0.0] * _INGEST_ROUNDS
    """The pause of the pullers; None: there are none."""
    rates: dict[float | None, list[float]] = {pause_s: [] for pause_s in turns}
    pages: dict[float, list[float]] = {_PAUSE_S: [], 0.0: []}
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        hub = RunningHub(Path(folder))
        hub.register(["ro"])
        with hub.running():
            _push(hub, 0)
            for turn, pause_s in enumerate(turns, 1):
                if pause_s is None:
                    rates[pause_s].append(_PUSHED / _push(hub, turn))
                    continue
                with following(_community(hub), PULLERS, _PAGE, pause_s) as pulled:
                    took_s = _push(hub, turn)
                rates[pause_s].append(_PUSHED / took_s)
                pages[pause_s].append(pulled[0] / took_s)
    alone = statistics.median(rates[None])
    figures.add(Figure("alone, objects/s", alone))
    for pause_s, least in ((_PAUSE_S, 0.7), (0.0, None)):
        often = f"a page each every {pause_s:g} s" if pause_s else "without pauses"
        figures.add(Figure(f"{often}: pages/s", statistics.median(pages[pause_s])))
        figures.add(Figure(f"{often}: rate / that alone", statistics.median(rates[pause_s]) / alone, least=least))


def _push(hub: RunningHub, turn: int) -> float:
    """Push other objects in each turn; the seconds until they are processed."""
    some = objects(_PUSHED, turn * _PUSHED)
    began = time.monotonic()
    with hub.client("ro", patience_s=LONG_S) as client:
        for first in range(0, _PUSHED, BUNDLE):
            client.push(some[first : first + BUNDLE])
    _until_done(hub, (turn + 1) * _PUSHED)
    return time.monotonic() - began
