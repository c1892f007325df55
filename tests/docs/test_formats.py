"""Every format of exports has its page, which says what the format says of itself and shows what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

import pytest

from hub.doors.export.format import Format, Unit
from hub.doors.export.formats import FORMATS
from hub.doors.export.misp import MISP_FEED_INFO
from hub.doors.export.misp.attribute_types import ATTRIBUTE_TYPES
from hub.doors.export.misp.attributes import MispRules, attributes_of
from hub.doors.export.misp.events import MispAbout, event_json, key_of
from hub.model.extensions import VIEW_EXTENSION
from tests.doors.entries import an_entry, an_object
from tests.doors.list_readers import reader_of, writer_of, written_by

DOCS = Path(__file__).parents[2] / "docs"
PAGE = re.compile(
    r"# (?P<name>\S+)\n\n(?P<says>[^\n]+)\n\n(?P<facts>(?:\|[^\n]+\n)+)\n## Example\n\n```\n(?P<example>.+?)```\n"
    r"\n## How values are written\n\n.+",
    re.DOTALL,
)
EXAMPLE = (
    an_entry("198.51.100.7", type="ipv4-addr"),
    an_entry("c2.example", type="domain-name", confidence=None, valid_until="2026-02-01T00:00:00.000Z"),
    an_entry("http://c2.example/a b#c,d", type="url", confidence=90, tlp="amber"),
    an_entry("d41d8cd98f00b204e9800998ecf8427e", type="md5"),
    an_entry('=1+"1"\n', type="file:name"),
)
every_format = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda one: one.name)


def page(format: Format) -> re.Match[str]:
    path = DOCS.parent / format.page
    assert path.is_file(), f"The format {format.name} has no page: write {format.page}."
    found = PAGE.fullmatch(path.read_text("utf-8"))
    assert found is not None, f"{format.page} has not the sections of a format, as docs/formats/txt.md has them."
    return found


def facts(format: Format) -> str:
    """The table of a format's page."""
    kinds = ", ".join(f"`{kind}`" for kind in sorted(format.kinds)) or "all"
    limits = [
        f"{most:,} {what}"
        for most, what in ((format.limits.lines, "lines"), (format.limits.line_bytes, "bytes for each line"))
        if most is not None
    ]
    rows = {
        "path": f"`/v1/collections/{{name}}/{format.path.replace('{format}', format.name)}`",
        "media type": f"`{format.media_type}`",
        "kinds": kinds + (", one for each list" if format.one_kind else ""),
        "limits": ", ".join(limits) or "none",
        "options": ", ".join(f"`{name}`" for name in sorted(format.options.model_fields)) or "none",
    }
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {said} |\n" for name, said in rows.items())


def example(format: Format) -> str:
    """The values of EXAMPLE that the format takes, as it writes them; what is no text in hexadecimal."""
    values = [entry for entry in EXAMPLE if not format.kinds or entry.type in format.kinds]
    some = values if format.unit is Unit.VALUE else reader_of(format).example
    written = written_by(writer_of(format), some)
    if format.media_type == "application/octet-stream":
        return "".join(f"{written[at : at + 32].hex(' ', 4)}\n" for at in range(0, len(written), 32))
    return written.decode().replace("\r\n", "\n")


@every_format
def test_every_format_has_a_page_with_its_name_and_facts(format: Format) -> None:
    found = page(format)
    assert found["name"] == format.name
    assert found["facts"] == facts(format)


@every_format
def test_the_example_is_what_the_format_writes(format: Format) -> None:
    assert page(format)["example"] == example(format)


@every_format
def test_every_format_stands_in_the_table_of_exports(format: Format) -> None:
    row = f"| [`{format.name}`](formats/{format.name}.md) | {page(format)['says']} |\n"
    assert row in (DOCS / "exports.md").read_text("utf-8"), f"docs/exports.md lacks the row {row}"


def test_every_page_is_that_of_a_format_or_of_the_misp_feed() -> None:
    assert {path.stem for path in (DOCS / "formats").glob("*")} == {*FORMATS, MISP_FEED_INFO.name}


# ---------------------------------------------------------------- the MISP feed

MISP_PAGE = DOCS.parent / MISP_FEED_INFO.page


def test_the_page_of_the_misp_feed_has_its_facts_and_a_row_in_the_table_of_exports() -> None:
    text = MISP_PAGE.read_text("utf-8")
    says = text.split("\n\n")[1]
    assert f"| path | `{MISP_FEED_INFO.path}` |\n| media type | `{MISP_FEED_INFO.media_type}` |\n" in text
    assert f"| [`misp`](formats/misp.md) | {says} |\n" in (DOCS / "exports.md").read_text("utf-8")


def test_the_page_of_the_misp_feed_has_the_table_of_types() -> None:
    rows = [
        f"| `{kind}` | `{type.name}` | {type.category} | {'yes' if type.to_ids else 'no'} |\n"
        for kind, type in ATTRIBUTE_TYPES.items()
    ]
    assert "".join(rows) in MISP_PAGE.read_text("utf-8")


def test_the_example_of_the_misp_feed_is_what_it_writes() -> None:
    values = [{"type": "domain-name", "path": "value", "value": "c2.example"}]
    obj = an_object(labels=["botnet"], confidence=80, extensions={VIEW_EXTENSION: {"observables": values}}).obj
    about = MispAbout("community", UUID("6a1d5c1e-0d3c-4c7e-9b0a-0f3a2f0e7d11"), "green", UUID(int=5))
    event = event_json(about, key_of(obj), list(attributes_of(obj, 1_767_323_045_678_000, MispRules())), 1_767_323_045)
    example = MISP_PAGE.read_text("utf-8").split("## Example\n\n```json\n")[1].partition("```")[0]
    assert json.loads(example) == event
