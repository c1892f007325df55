"""Streams of Sigma rules: one source's rule never breaks or changes another's."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.collection import SigmaCollection

from hub.doors.export import by_parts
from hub.doors.export.format import About, Options
from hub.doors.export.formats import FORMATS, sigma
from hub.model.words import Seq
from tests.doors.entries import an_object
from tests.doors.formats.sigma import RULE
from tests.doors.hubs import Hub
from tests.story import an_indicator

OTHER = "title: Other\nlogsource: {product: linux}\ndetection: {sel: {a: b}, condition: sel}"


def written(*patterns: str) -> bytes:
    writer = FORMATS["sigma"].begin(About("community", Seq(7), 1, frozenset(), None, Options()))
    return b"".join(writer.line(an_object(one, pattern_type="sigma")) or b"" for one in patterns)


def titles(content: bytes) -> list[str]:
    return [rule.title for rule in SigmaCollection.from_yaml(content.decode())]


@pytest.mark.parametrize(
    "pattern",
    [
        f"{OTHER}\n---\n{OTHER}",
        f"---\n{OTHER}",
        f"{OTHER}\n...",
        f"%YAML 1.1\n---\n{OTHER}",
        f"action: global\n{OTHER}",
        f"action: reset\n{OTHER}",
        "title: A\nlogsource: &x {product: linux}\ndetection: {sel: *x, condition: sel}",
        "title: A\ndetection: {sel: {a: b}, condition: sel}",
        "title: A",
        "- title: A",
        "a: [" * 60 + "]" * 60,
        "title: A\nlogsource: !!python/object/apply:os.system [id]\ndetection: {sel: {a: b}, condition: sel}",
        "a: b: c",
        "",
        "\x00",
        "[" * 100_000,
    ],
)
def test_a_rule_that_could_break_or_change_others_is_left_out(pattern: str) -> None:
    assert written(OTHER, pattern, RULE) == written(OTHER, RULE)


@given(st.lists(st.sampled_from([*"\n-:&*!%#|>'\"{}[] ", "---", "title: ", "action: global", "a", OTHER]), max_size=12))
def test_no_pattern_changes_what_is_read_of_another(parts: list[str]) -> None:
    pattern = "".join(parts)
    alone = list(yaml.safe_load_all(written(pattern)))
    assert list(yaml.safe_load_all(written(OTHER, pattern, RULE))) == [
        yaml.safe_load(OTHER),
        *alone,
        yaml.safe_load(RULE),
    ]


async def test_rules_come_as_they_were_published_and_others_are_counted(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("[1]", pattern=RULE, pattern_type="sigma"),
        an_indicator("[2]", pattern="title: A", pattern_type="sigma"),
        an_indicator(),
    )
    answer = await hub.get("/v1/collections/community/export.sigma", "soc")
    assert RULE in answer.text
    assert answer.headers["x-ctihub-skipped"] == "1"
    assert titles(answer.content) == ["A loader is started"]


async def test_the_next_list_parses_new_rules_only(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 1)
    rules = [an_indicator(f"[{no}]", pattern=f"{RULE}# {no}", pattern_type="sigma") for no in range(5)]
    path = "/v1/collections/community/export.sigma"
    await hub.tell("ro", *rules[:4])
    await hub.get(path, "soc")
    parsed: list[str] = []
    real = sigma._is_one_rule

    def is_one_rule(pattern: str) -> bool:
        parsed.append(pattern)
        return real(pattern)

    monkeypatch.setattr(sigma, "_is_one_rule", is_one_rule)
    await hub.tell("ro", rules[4])
    assert (await hub.get(path, "soc")).headers["x-ctihub-lines"] == "5"
    assert parsed == [rules[4]["pattern"]]
