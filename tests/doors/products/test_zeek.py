"""Zeek's intelligence framework, as its reader and its scripts take a list. Source: zeek/zeek, ``main.zeek``,
``removal.zeek``, ``Ascii.cc``.
"""

from __future__ import annotations

from hub.doors.export.entry import Entry
from hub.doors.export.formats import FORMATS
from tests.doors.entries import an_entry
from tests.doors.formats import zeek
from tests.doors.hubs import Hub
from tests.doors.list_readers import writer_of, written_by
from tests.story import an_indicator, moment

PATH = "/v1/collections/public/export.zeek"


class Intel:
    """What Zeek knows after it has read files one after the other: by type, in small letters."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str]] = set()

    def load(self, content: bytes) -> None:
        for indicator, intel, remove in zeek.read(content):
            (self.known.discard if remove else self.known.add)((intel, indicator.lower()))

    def names(self) -> set[str]:
        """What it knows, without types."""
        return {value for _, value in self.known}


def a_list(*some: Entry) -> bytes:
    return written_by(writer_of(FORMATS["zeek"]), some)


async def test_a_hub_writes_what_zeek_reads(hub: Hub) -> None:
    patterns = (
        "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
        "[url:value = 'https://c2.example/a#b']",
        "[url:value = 'https://c2.example/a']",
        "[file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709']",
    )
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear", labels=["a\tb", "c"]) for pattern in patterns))
    answer = await hub.get(PATH, None)
    head, *lines = answer.text.splitlines()
    assert head.split("\t")[0] == "#fields"
    assert {tuple(line.split("\t")[:3]) for line in lines} == {
        ("198.51.100.0/24", "Intel::SUBNET", "ctihub-public"),
        ("c2.example/a", "Intel::URL", "ctihub-public"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "Intel::FILE_HASH", "ctihub-public"),
    }
    assert answer.headers["x-ctihub-skipped"] == "1", "a fragment never reaches a server"


async def test_what_a_source_withdraws_or_revokes_goes_with_the_next_list_of_the_hub(hub: Hub) -> None:
    intel = Intel()
    gone = an_indicator("[domain-name:value = 'gone.example']", "a")
    revoked = an_indicator("[domain-name:value = 'revoked.example']", "b")
    kept = [an_indicator(f"[domain-name:value = '{name}.example']", name) for name in ("c", "d")]
    again = an_indicator("[domain-name:value = 'c.example'] OR [domain-name:value = 'e.example']", "again")
    await hub.tell("ro", gone, revoked, *kept, again)
    intel.load((await hub.get("/v1/collections/community/export.zeek", "soc")).content)
    assert intel.names() == {"gone.example", "revoked.example", "c.example", "d.example", "e.example"}
    await hub.withdraw("ro", gone["id"], kept[0]["id"])
    await hub.tell("ro", {**revoked, "revoked": True, "modified": moment(60)})
    intel.load((await hub.get("/v1/collections/community/export.zeek", "soc")).content)
    assert intel.names() == {"c.example", "d.example", "e.example"}, "c.example is live in another indicator"


def test_what_was_withdrawn_goes_with_the_next_list() -> None:
    intel = Intel()
    intel.load(a_list(an_entry("198.51.100.7"), an_entry("c2.example", type="domain-name")))
    intel.load(a_list(an_entry("198.51.100.7"), an_entry("c2.example", type="domain-name", removed=True)))
    assert intel.known == {("Intel::ADDR", "198.51.100.7")}


def test_what_is_live_in_another_spelling_stays() -> None:
    intel = Intel()
    live = [an_entry("https://c2.example/A", type="url"), an_entry("A@c2.example", type="email-addr")]
    gone = [an_entry("http://c2.example/a", type="url", removed=True),
            an_entry("a@c2.example", type="email-addr", removed=True)]  # fmt: skip
    intel.load(a_list(*live, *gone))
    assert intel.known == {("Intel::URL", "c2.example/a"), ("Intel::EMAIL", "a@c2.example")}


def test_the_source_does_not_depend_on_who_claims_a_value() -> None:
    first, second = (a_list(an_entry(sources=(name,))) for name in ("ro", "it"))
    cells = [content.splitlines()[1].split(b"\t") for content in (first, second)]
    assert cells[0][2] == cells[1][2] == b"ctihub-community", "Zeek removes the data of one source"
    assert cells[0][3].endswith(b"sources ro")


def test_withdrawn_values_come_for_thirty_days() -> None:
    assert FORMATS["zeek"].removed_days == 30
