"""Which parts of an object a granular marking may take away.

Source: STIX 2.1, section 7.2.3; docs/semantics.md, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.core.granular import MOST_PARTS
from hub.core.judge import judge_object
from hub.core.normalise import Normal
from hub.core.validate import TYPES, validate
from hub.model.markings import marks_of
from hub.model.selectors import WHOLE, selects, without
from hub.model.words import Limits, StixObject
from tests.core.drawn import objects
from tests.examples import few
from tests.story import TLP, an_indicator, an_object, malware, moment, uid

LIMITS = Limits()
REFERENCES = [
    {"source_name": "a", "url": "https://a.example/", "description": "A"},
    {"source_name": "b", "description": "B"},
]
OURS = f"extension-definition--{uid('ours')}"


def marked(obj: StixObject, *selectors: str, ref: str = TLP["amber"]) -> StixObject:
    return obj | {"granular_markings": [{"marking_ref": ref, "selectors": list(selectors)}]}


def judged(obj: StixObject) -> Normal:
    found = judge_object(obj, LIMITS)
    assert isinstance(found, list), found
    return found[0]


def left_of(obj: StixObject) -> StixObject | None:
    """What those see whom all granular markings exclude."""
    (one,) = marks_of(judged(obj).obj).granular
    if one.takes_all:
        return None
    rest = {name: value for name, value in judged(obj).obj.items() if name != "granular_markings"}
    return without(rest, one.selectors)


RICH = an_indicator(
    description="D", labels=["a", "b"], external_references=REFERENCES, confidence=7, lang="en",
    created_by_ref=f"identity--{uid('vendor')}", x_more={"kept": 1, "gone": [1, {"deep": 2, "other": 3}]},
    extensions={OURS: {"extension_type": "property-extension", "rank": 5, "note": "N"}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("description", ("description",)),
        ("name", ("name",)),  # of an indicator: its pattern says what it is
        ("labels", ("labels",)),
        ("confidence", ("confidence",)),
        ("created_by_ref", ("created_by_ref",)),
        ("labels.[0]", ("labels", 0)),
        ("labels.[1]", ("labels", 1)),
        ("external_references.[1]", ("external_references", 1)),
        ("external_references.[0].url", ("external_references", 0, "url")),
        ("x_more.gone.[1].deep", ("x_more", "gone", 1, "deep")),
        ("x_more.gone.[0]", ("x_more", "gone", 0)),
        (f"extensions.{OURS}", ("extensions",)),  # the only one, so that nothing is left of them
        (f"extensions.{OURS}.note", ("extensions", OURS, "note")),
    ],
)
def test_each_form_of_selector_takes_exactly_what_it_selects(selector: str, path: tuple[Any, ...]) -> None:
    expected = deepcopy(judged(RICH | {"name": "n"}).obj)
    holder: Any = expected
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    assert left_of(marked(RICH | {"name": "n"}, selector)) == expected


def test_several_selectors_in_one_list_do_not_move_one_another() -> None:
    obj = an_indicator(labels=["a", "b", "c", "d"], external_references=REFERENCES)
    left = left_of(marked(obj, "labels.[0]", "labels.[2]", "external_references.[0]", "external_references.[1]"))
    assert left is not None
    assert left["labels"] == ["b", "d"]
    assert "external_references" not in left


SCO = {"type": "file", "spec_version": "2.1", "id": f"file--{uid('f')}", "name": "a", "size": 7, "mime_type": "a/b"}
RELATIONSHIP = an_object(
    "relationship", "r", relationship_type="uses", source_ref=malware("a")["id"], target_ref=malware("b")["id"],
    description="D",
)  # fmt: skip
TOP_LEVEL = {OURS: {"extension_type": "toplevel-property-extension"}}


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        (RICH, "type"), (RICH, "id"), (RICH, "modified"), (RICH, "pattern"), (RICH, "valid_from"),
        (RICH, "object_marking_refs"), (RICH, "object_marking_refs.[0]"), (RICH, "pattern_type"),
        (RICH | {"revoked": False}, "revoked"),
        (RICH, "external_references.[0].source_name"),  # which every external reference has
        (RICH | {"labels": ["a", "PAP:RED"]}, "labels.[1]"),
        (RICH | {"labels": ["a", "PAP:RED"]}, "labels"),
        (an_indicator(tlp=None, labels=["a", "tlp:green"]), "labels.[1]"),
        (malware(description="D"), "name"),
        (malware(), "is_family"),
        (an_object("location", "l", country="RO", name="Sibiu"), "country"),
        (RELATIONSHIP, "source_ref"), (RELATIONSHIP, "relationship_type"),
        (SCO, "name"),  # of which its id is made
        (an_object("report", "r", name="r", published=moment(0), object_refs=[malware()["id"]]), "object_refs.[0]"),
        (RICH, f"extensions.{OURS}.extension_type"),
        (malware(extensions=TOP_LEVEL, rank=5), f"extensions.{OURS}"),
    ],
)  # fmt: skip
def test_what_an_object_cannot_be_without_takes_it_whole(obj: StixObject, selector: str) -> None:
    assert left_of(marked(obj, selector)) is None


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        (SCO, "size"), (RELATIONSHIP, "description"), (malware(description="D"), "description"),
        (an_object("location", "l", country="RO", region="eastern-europe"), "region"),
        (an_indicator(labels=["a", "tlp:amber"]), "labels.[1]"),  # which the marking overrules
        (an_object("report", "r", name="r", published=moment(0), object_refs=[malware(str(n))["id"] for n in (1, 2)]),
         "object_refs.[0]"),
    ],
)  # fmt: skip
def test_what_is_optional_goes_alone(obj: StixObject, selector: str) -> None:
    left = left_of(marked(obj, selector))
    assert left is not None
    assert not selects(left, selector) or selector.endswith("]")


def test_what_normalising_would_move_takes_the_object_whole() -> None:
    """A text that is no URL becomes a description, where the selector would not find it."""
    moved = [{"source_name": "a", "url": "no url but SECRET"}]
    assert left_of(marked(an_indicator(external_references=moved), "external_references.[0].url")) is None


def test_markings_of_which_each_could_go_alone_but_not_all_take_the_object_whole() -> None:
    place = an_object("location", "l", country="RO", region="eastern-europe")
    granular = [
        {"marking_ref": TLP["amber"], "selectors": ["country"]},
        {"marking_ref": TLP["red"], "selectors": ["region"]},
    ]
    found = marks_of(judged(place | {"granular_markings": granular}).obj).granular
    assert [one.takes_all for one in found] == [True, True]


@pytest.mark.parametrize(("count", "takes"), [(MOST_PARTS, False), (MOST_PARTS + 1, True)])
def test_an_object_with_very_many_granular_markings_is_not_tried(count: int, takes: bool) -> None:
    refs = [f"marking-definition--{uid('marking', n)}" for n in range(count)]
    granular = [{"marking_ref": ref, "selectors": ["description"]} for ref in refs]
    found = marks_of(judged(an_indicator(description="D", granular_markings=granular)).obj).granular
    assert {one.takes_all for one in found} == {takes}


def test_a_language_marking_takes_nothing() -> None:
    found = judged(an_indicator(name="n", granular_markings=[{"lang": "de", "selectors": ["pattern", "name"]}]))
    assert marks_of(found.obj).granular == ()
    assert found.obj["granular_markings"] == [{"lang": "de", "selectors": ["pattern", "name"]}]


def test_parts_of_observed_data_go_with_their_whole() -> None:
    observed = an_object(
        "observed-data", "o", first_observed=moment(-60), last_observed=moment(-50), number_observed=1,
        objects={"0": {"type": "ipv4-addr", "value": "198.51.100.7"}, "1": {"type": "file", "name": "a", "size": 7}},
    )  # fmt: skip
    for selector, taken in [
        ("number_observed", [True, True, True]), ("objects", [True, True, True]), ("objects.0.value", [False, True]),
        ("objects.1.size", [False, False]), ("objects.1", [False, True]),
    ]:  # fmt: skip
        found = judge_object(marked(observed, selector), LIMITS)
        assert isinstance(found, list)
        marks = [marks_of(one.obj).granular for one in found]
        assert [one[0].takes_all for one in marks if one] == taken, selector


# ---------------------------------------------------------------- every type


def paths_in(value: Any, at: str = "") -> Iterator[str]:
    """A selector for everything in a value."""
    if isinstance(value, list):
        value = {f"[{index}]": one for index, one in enumerate(value)}
    for step, one in value.items() if isinstance(value, dict) else ():
        path = f"{at}.{step}" if at else step
        yield path
        yield from paths_in(one, path)


IS_SELECTOR = re.compile(r"[a-z0-9_-]{3,250}(\.(\[\d+\]|[a-zA-Z0-9_-]{1,250}))*|id").fullmatch
SEEN_OF = st.sampled_from(sorted(TYPES.keys() - {"marking-definition"}))


@few(150)
@given(SEEN_OF.flatmap(objects), st.data())
def test_what_is_left_is_what_the_hub_makes_of_an_object_that_never_had_it(
    obj: StixObject, data: st.DataObject
) -> None:
    paths = [path for path in paths_in(obj) if IS_SELECTOR(path)]
    selectors = data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=2, unique=True))
    found = judge_object(marked(obj, *selectors), LIMITS)
    assume(isinstance(found, list))
    left = left_of(marked(obj, *selectors))
    if left is None:
        return
    assert [p.code for p in validate(left, LIMITS) if p.state.value == "rejected"] == []
    assert left == judged(without(obj, selectors)).obj
    assert left["id"] == judged(obj).obj["id"]
    assert WHOLE in left


def test_the_drawn_objects_lose_some_parts_and_keep_others() -> None:
    """The property would say little if each selector took everything."""
    taken = {selector: left_of(marked(RICH, selector)) is None for selector in paths_in(RICH) if IS_SELECTOR(selector)}
    assert sum(taken.values()) > 5
    assert len(taken) - sum(taken.values()) > 10
