"""Files of YARA rules: one source's rule never breaks or changes another's."""

from __future__ import annotations

import pytest
import yara_x
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export.format import About, Options, Writer
from hub.doors.export.formats import FORMATS
from hub.model.words import Seq
from tests.doors.entries import an_object
from tests.doors.formats.yara import RULE
from tests.doors.hubs import Hub
from tests.story import an_indicator

OTHER = "rule Other { condition: true }"


def a_writer() -> Writer:
    return FORMATS["yara"].begin(About("community", Seq(7), 1, frozenset(), None, Options()))


def written(*patterns: str) -> bytes:
    writer = a_writer()
    return b"".join(writer.line(an_object(one, pattern_type="yara")) or b"" for one in patterns)


def matching(rules: bytes) -> set[str]:
    return {rule.identifier for rule in yara_x.compile(rules.decode()).scan(b"an evil file").matching_rules}


@pytest.mark.parametrize(
    "pattern",
    [
        "global rule G { condition: false }",
        "private global rule G { condition: false }",
        'rule A { strings: $a = /"/ condition: $a } global rule G { condition: false } '
        'rule B { strings: $b = /"/ condition: $b }',
        'include "/etc/passwd"',
        'include "other.yar" rule A { condition: true }',
        "rule A { condition: Other }",
        "rule A { condition: external_variable }",
        "rule A { condition: true } /* no end",
        'rule A { strings: $a = "no end condition: $a }',
        "rule A { condition: true",
        "} rule A { condition: true }",
        "rule Other { condition: false }",
        "rule A { condition: true } rule A { condition: true }",
        "// only a comment",
        "",
    ],
)
def test_a_rule_that_could_break_or_change_others_is_left_out(pattern: str) -> None:
    assert written(OTHER, pattern, RULE) == written(OTHER, RULE)
    assert "Other" in matching(written(OTHER, pattern, RULE))


def test_the_next_list_compiles_no_rule_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(RULE, "rule A { condition: Other }")
    monkeypatch.setattr(yara_x, "Compiler", None)
    assert written(RULE, "rule A { condition: Other }") == first


def test_rules_with_comments_imports_and_tags_are_written_as_they_are() -> None:
    pattern = 'import "math"\nprivate rule A : tag { condition: math.abs(-1) == 1 } // "global rule"'
    assert pattern.encode() in written(pattern, OTHER)
    assert matching(written(pattern, OTHER)) == {"Other"}


@given(
    st.lists(
        st.sampled_from([*'{}"/*\\\n', "rule ", "global ", "condition:", "true", "A ", "B ", "import ", "//"]),
        max_size=14,
    )
)
def test_no_pattern_keeps_another_from_matching(parts: list[str]) -> None:
    assert "Other" in matching(written("".join(parts), OTHER, "".join(parts)))


async def test_rules_come_as_they_were_published_and_others_are_counted(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("[1]", pattern=RULE, pattern_type="yara"),
        an_indicator("[2]", pattern="global rule G { condition: false }", pattern_type="yara"),
        an_indicator("[3]", pattern=OTHER, pattern_type="yara", labels=["PAP:RED"]),
        an_indicator(),
    )
    answer = await hub.get("/v1/collections/community/export.yara", "soc")
    assert RULE in answer.text
    assert (answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"]) == ("1", "2")
    assert [rule.identifier for rule in yara_x.compile(answer.text)] == ["Loader"]
    answer = await hub.get("/v1/collections/community/export.yara?type=file", "soc")
    assert answer.json()["code"] == "export.type"
