"""The formats of exports: where they are found, and that each is read back as what was written."""

from __future__ import annotations

import operator
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export.entry import Entry, ListItem
from hub.doors.export.format import About, Format, Unit
from hub.doors.export.formats import FORMATS, find, module_name
from hub.model.words import Seq
from tests.doors.entries import A_LIST, HOSTILE, PLAIN, an_entry, an_object, items
from tests.doors.list_readers import reader_of, writer_of, written_by

DATA = Path(__file__).parents[1] / "data" / "exports"
every_format = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda one: one.name)


def is_read_back(format: Format, some: Iterable[ListItem]) -> None:
    """Write a list, and compare what its reader sees with what was written."""
    writer, reader = writer_of(format), reader_of(format)
    lines = [(entry, line) for entry in some if (line := writer.line(entry)) is not None]
    for entry, line in lines:
        if isinstance(entry, Entry) and line:
            assert format.escape(entry.value).encode() in line, "the value is written as the format's function does it"
    content = written_by(writer_of(format), [entry for entry, _ in lines])
    got, said = reader.read(content), [reader.says(entry) for entry, _ in lines]
    assert reader.agrees(got, said), (got, said)


def once_each(some: Iterable[ListItem]) -> Iterable[ListItem]:
    """The items of a list, which has each value once."""
    return {one.value if isinstance(one, Entry) else number: one for number, one in enumerate(some)}.values()


def test_every_format_has_a_reader_and_every_reader_a_format() -> None:
    readers = {path.stem for path in (Path(__file__).parent / "formats").glob("*.py")}
    assert readers == {module_name(name) for name in FORMATS}, "each format is read back: write what is missing"


@every_format
def test_what_is_read_back_is_what_was_written(format: Format) -> None:
    @given(some=st.lists(items(format), max_size=6))
    def holds(some: list[ListItem]) -> None:
        is_read_back(format, once_each(some))

    holds()


@every_format
def test_whether_a_list_can_have_an_item_does_not_depend_on_the_others(format: Format) -> None:
    is_of_values = format.unit is Unit.VALUE
    plain = [an_entry(PLAIN[kind], type=kind) for kind in sorted(format.kinds or PLAIN) if is_of_values]

    @given(some=st.lists(items(format), max_size=6))
    def holds(some: list[ListItem]) -> None:
        asked = writer_of(format)
        alone = asked.alone or asked.line
        some = [*plain, *some]
        for item in [*some, *some]:
            line = writer_of(format).line(item)
            found = alone(item)
            assert (found is None) == (line is None)
            assert found is None or line is None or line == b"" or len(found) <= len(line)
        assert written_by(asked, some) == written_by(writer_of(format), some), "asking leaves no trace"

    holds()


@pytest.mark.parametrize(
    "format", [one for one in FORMATS.values() if one.lines_are_alone], ids=operator.attrgetter("name")
)
def test_lines_that_are_kept_depend_on_their_item_and_the_options_alone(format: Format) -> None:
    is_of_values = format.unit is Unit.VALUE
    plain = [an_entry(PLAIN[kind], type=kind) for kind in sorted(format.kinds or PLAIN) if is_of_values]
    options = format.options.model_validate(reader_of(format).options)

    @given(some=st.lists(items(format), max_size=6))
    def holds(some: list[ListItem]) -> None:
        other = format.begin(About("other", Seq(9), 1, format.kinds, 5, options, 9))
        for item in reversed([*plain, *some, *plain]):
            assert other.line(item) == writer_of(format).line(item)
        assert other.alone is None

    holds()


@every_format
def test_every_hostile_value_is_read_back(format: Format) -> None:
    if format.unit is not Unit.VALUE:
        is_read_back(format, [an_object(value, name=value, pattern_type=format.pattern_type) for value in HOSTILE])
        return
    for kind in sorted(format.kinds or PLAIN):
        is_read_back(format, [an_entry(value, type=kind) for value in HOSTILE])


@every_format
def test_every_kind_can_be_written(format: Format) -> None:
    writer = writer_of(format)
    for kind in sorted(format.kinds or PLAIN) if format.unit is Unit.VALUE else ():
        assert writer.line(an_entry(PLAIN[kind], type=kind)) is not None, kind


@pytest.mark.parametrize("name", ["csv", "jsonl", "txt"])
def test_a_list_is_the_same_byte_for_byte(name: str) -> None:
    writer = writer_of(FORMATS[name])
    assert written_by(writer, A_LIST) == (DATA / f"list.{name}").read_bytes()


# ---------------------------------------------------------------- what the formats of text never write


@pytest.mark.parametrize(
    "char", ["\u00ad", "\u061c", "\u180e", "\U000e0041", "\u2065", "\ufff9", "\u3164", "\U000e0100"]
)
@pytest.mark.parametrize("name", ["csv", "txt"])
def test_what_nobody_sees_is_written_out(name: str, char: str) -> None:
    line = writer_of(FORMATS[name]).line(an_entry(f"c2{char}.example"))
    assert line is not None
    assert char not in line.decode()
    is_read_back(FORMATS[name], [an_entry(f"c2{char}.example")])


@pytest.mark.parametrize("name", ["csv", "txt"])
def test_every_format_and_control_character_is_written_out(name: str) -> None:
    hidden = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs")]
    assert len(hidden) > 2_000
    assert [char for char in hidden if FORMATS[name].escape(char) == char] == []


@pytest.mark.parametrize("first", ["\uff1d", "\uff0b", "\uff0d", "\uff20", "\u2212", "\ufe66", "="])
def test_a_cell_that_begins_like_a_formula_in_any_width_is_marked(first: str) -> None:
    assert FORMATS["csv"].escape(f"{first}1+1") == f"'{first}1+1"
    is_read_back(FORMATS["csv"], [an_entry(f"{first}1+1")])


# ---------------------------------------------------------------- where they are found

A_FORMAT = """
from hub.doors.export.format import Format, Writer

def begin(about):
    return Writer(line=lambda entry: b"")

FORMAT = Format(name="{name}", media_type="text/plain", begin=begin, escape=str, says_type=False)
"""


@pytest.fixture
def a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def made(package: str, **modules: str) -> list[str]:
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        return [str(folder)]

    monkeypatch.syspath_prepend(tmp_path)
    return made


def test_a_format_is_found_because_it_is_in_the_folder(a_package: Callable[..., list[str]]) -> None:
    folders = a_package("lists_a", b=A_FORMAT.format(name="b"), a_c=A_FORMAT.format(name="a-c"))
    assert list(find("lists_a", folders)) == ["a-c", "b"]


@pytest.mark.parametrize("text", ["", "FORMAT = None\n"])
def test_a_module_without_a_format_is_an_error(a_package: Callable[..., list[str]], text: str) -> None:
    package = f"lists_{len(text)}"
    with pytest.raises(ImportError, match=r"\.a defines no FORMAT"):
        find(package, a_package(package, a=text))


def test_two_formats_of_one_name_are_an_error(a_package: Callable[..., list[str]]) -> None:
    folders = a_package("lists_b", a=A_FORMAT.format(name="a"), b=A_FORMAT.format(name="a"))
    with pytest.raises(ImportError, match=r"The format 'a' belongs in a\.py, not in b\.py"):
        find("lists_b", folders)
