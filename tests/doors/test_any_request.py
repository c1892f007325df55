"""Whatever is asked, no door fails: every answer is a result or an error with a code, and never a 500."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.model.times import from_us
from tests.doors.hubs import Hub, a_hub, addresses
from tests.story import START_US, an_indicator, an_object

words = st.one_of(
    st.sampled_from(
        [
            "", "0", "1", "5", "all", "first", "last", "first,last", "start", "now", "indicator", "malware,indicator",
            "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-02-30T00:00:00Z",
            "2.1", "2.0", "ipv4-addr", "file:name", "community", "public", "network", "community/../network", "\x00",
            "[ipv4-addr:value = '198.51.100.7']", "198.51.100.7", "9" * 18, "9" * 40, "-1", "1e3", "%", "%00", "\u202e",
        ]
    ),
    st.text(max_size=20),
)  # fmt: skip
names = st.one_of(
    st.sampled_from(
        [
            "limit", "next", "added_after", "match[type]", "match[id]", "match[version]", "match[spec_version]",
            "after", "from", "type", "match[", "match[x]",
        ]
    ),
    st.text(max_size=5),
)  # fmt: skip
queries = st.lists(st.tuples(names, words), max_size=4)
paths = st.one_of(
    st.sampled_from(
        [
            "OBJECTS", "OBJECTS{word}", "OBJECTS{word}/versions", "MANIFEST", "/taxii2/root/collections/{word}",
            "/taxii2/root/status/{word}", "/taxii2/{word}", "/v1/collections/{word}/export.txt",
            "/v1/collections/community/export.{word}", "/v1/collections/community/export.csv", "/v1/explain/{word}",
            "/v1/receipts/{word}", "/v1/receipts/{word}/problems", "/v1/rejections", "/v1/collections", "/v1/status",
            "/v1/exports", "/v1/collections/{word}/misp/manifest.json", "/v1/collections/community/misp/{word}.json",
            "/rules/{word}", "/v1/{word}", "/{word}",
        ]
    ),
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(["accept", "if-none-match", "last-event-id", "x-forwarded-host", "content-type"]),
    st.one_of(
        st.sampled_from(["*/*", "application/taxii+json;version=2.0", '"x"', "W/", ",", ";", "=", "version="]),
        st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20),
    ),
    max_size=2,
)


class Running:
    """A hub that goes on over many examples, in a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._context = a_hub(folder, page_objects=5)
        self.hub: Hub = self.run(self._begin())
        self.objects = self.run(self.hub.objects_url("community"))
        self.some: str = self.run(self.hub.get(self.objects, "ro")).json()["objects"][0]["id"]

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> Hub:
        hub = await self._context.__aenter__()
        await hub.centre()
        await hub.tell(
            "ro", *addresses(12), an_indicator(), an_object("malware", "m", name="m", is_family=False), b"{oops"
        )
        return hub

    def close(self) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("hub"))
    yield made
    made.close()


@settings(max_examples=300, deadline=None)
@given(path=paths, word=words, query=queries, said=headers)
def test_any_request_is_answered(
    running: Running, path: str, word: str, query: list[tuple[str, str]], said: dict[str, str]
) -> None:
    where = path.replace("OBJECTS", running.objects).replace("MANIFEST", running.objects.replace("objects", "manifest"))
    where = where.replace("{word}", quote(word, safe=""))
    url = where + "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    raw = {name: value.encode("latin-1") for name, value in said.items()}
    answer = running.run(running.hub.get(url, "ro", headers=raw))
    assert answer.status_code < 500, (url, answer.text)
    if answer.status_code >= 400:
        body = answer.json()
        assert body.get("code") or body.get("error_code"), url


@settings(max_examples=200, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(lambda text: b'{"type": "bundle", ' + text.encode())
    ),
    content_type=st.sampled_from(
        ["application/json", "application/stix+json", "application/x-ndjson", "text/plain", "x"]
    ),
    encoding=st.sampled_from(["identity", "gzip", "zstd", "br", ""]),
    path=st.sampled_from(["/v1/intake", "/v1/withdrawals"]),
)
def test_any_body_is_answered_and_every_object_of_it_ends(
    running: Running, body: bytes, content_type: str, encoding: str, path: str
) -> None:
    hub = running.hub
    said = {"content-type": content_type, "content-encoding": encoding}
    answer = running.run(hub.post(path, "ro", content=body, headers=said))
    assert answer.status_code in (202, 400, 413, 415), answer.text
    if answer.status_code == 202:
        running.run(hub.settle())
        receipt = running.run(hub.receipt("ro", answer.json()["receipt"]))
        ends = sum(receipt[state] for state in ("accepted", "unchanged", "held", "rejected"))
        assert (receipt["state"], ends) == ("complete", receipt["received"])


digits = st.integers(0, 99).map("{:02}".format)
times = st.tuples(
    st.sampled_from(["0000", "0001", "1969", "1970", "2025", "2026", "9998", "9999", "10000", "-001"]),
    st.sampled_from(["01", "02", "12"]) | digits,
    st.sampled_from(["01", "28", "29", "31"]) | digits,
    st.sampled_from(["T", "T", "T", "t", " ", "T\u200b"]),
    st.sampled_from(["00", "23"]) | digits,
    st.sampled_from(["00", "59"]) | digits,
    st.sampled_from(["00", "59", "60"]) | digits,
    st.sampled_from(["", "", ".0", ".999999", ".9999999", "." + "9" * 5_000, ".", ",5", ".\u0661"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+14:00", "-14:00", "+23:59", "-23:59", "+24:00", "-99:99", ""]),
)
END = ("9999", "12", "31", "T", "23", "59")


def meant(time: tuple[str, ...]) -> datetime | None:
    """The moment that RFC 3339, section 5.6 gives a time, as far as Python's calendar goes; else None."""
    year, month, day, between, hour, minute, second, fraction, zone = time
    zone = zone.upper()
    leap = second == "60"
    if len(year) != 4 or between not in "Tt" or fraction in (".", ",5", ".\u0661") or not zone:
        return None
    try:
        second = "59" if leap else second
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction[:7]}")
        moment += timedelta(seconds=leap)
        return moment.replace(tzinfo=datetime.strptime(zone, "%z").tzinfo).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@settings(max_examples=300)
@given(
    time=times,
    path=st.sampled_from(["OBJECTS", "MANIFEST", "OBJECTSID/", "OBJECTSID/versions/"]),
    filter=st.sampled_from(["added_after={}", "match[version]={}", "match[version]=last,{}", "limit=1&added_after={}"]),
)
@example(time=(*END, "59", "", "-14:00"), path="OBJECTS", filter="added_after={}")
@example(time=(*END, "60", "", "Z"), path="MANIFEST", filter="added_after={}")
@example(time=(*END, "60", "", "Z"), path="OBJECTSID/", filter="match[version]={}")
@example(
    time=("0001", "01", "01", "T", "00", "00", "00", "", "+14:00"), path="OBJECTSID/versions/", filter="added_after={}"
)
def test_any_time_is_read_rightly_or_refused(running: Running, time: tuple[str, ...], path: str, filter: str) -> None:
    where = path.replace("OBJECTSID", running.objects + running.some).replace("OBJECTS", running.objects)
    where = where.replace("MANIFEST", running.objects.replace("objects", "manifest"))
    year, month, day, between, hour, minute, *rest = time
    said = quote(f"{year}-{month}-{day}{between}{hour}:{minute}:{''.join(rest)}")
    answer = running.run(running.hub.get(f"{where}?{filter.format(said)}", "ro"))
    moment = meant(time)
    if moment is None:
        assert (answer.status_code, answer.json()["error_code"]) == (400, "taxii.time"), time
        return
    assert answer.status_code == 200, (time, answer.text)
    if "added_after" in filter:
        found = answer.json().get("objects") or answer.json().get("versions")
        assert bool(found) == (moment < from_us(START_US)), time
