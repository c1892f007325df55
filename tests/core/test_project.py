"""What an audience sees of a claim: who sees it at all, what it is marked with, what is left of it, since when.

Who sees it is compared with the plain statement of the same rules in ``tests/promises/watching.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.core.merge.hubmade import merged_labels, with_pap
from hub.core.merge.newest import standing_withdrawal, withdrawal
from hub.core.merge.project import Projection, as_definition, no_stricter, view_groups
from hub.core.merge.reach import decided_by
from hub.core.validate import TYPES, validate
from hub.model.claims import Claim, ClaimState
from hub.model.extensions import KEPT_EXTENSION, OBSERVABLE_EXTENSIONS
from hub.model.markings import PAP_ORDER
from hub.model.policy import Audience, Policy, covers
from hub.model.words import COMMUNITY, NETWORK, PUBLIC, GroupName, Level, Limits, Naming, SourceName, StixId
from tests.core.claims import (
    AUDIENCES,
    CENTRES,
    EVERYBODY,
    GROUPS,
    HEALTH,
    MEMBERS,
    a_claim,
    a_policy,
    a_source,
    a_stamp,
    following,
    projection,
    seen,
)
from tests.core.drawn import objects
from tests.examples import few
from tests.promises import histories as told
from tests.promises.watching import Standing, Watch
from tests.story import TLP, an_indicator, an_object, malware, marking_of, moment, uid

OWN = f"marking-definition--{uid('own')}"
RO, IT = a_source(1), a_source(2)
POLICY = a_policy(RO, IT)


def a_definition(said: str, marking: str = OWN, **more: Any) -> dict[str, Any]:
    """A marking-definition of a source's own that says this."""
    found = an_object(
        "marking-definition", "m", tlp=None, definition_type="statement", definition={"statement": said}, **more
    )
    del found["modified"]
    return found | {"id": marking}


def audiences_of(claim: Claim, policy: Policy = POLICY, **how: Any) -> set[tuple[Level, GroupName]]:
    return {(one.level, one.group) for one in AUDIENCES if seen(claim, policy, one, **how) is not None}


# ---------------------------------------------------------------- who sees a claim


def of_history(history: told.History, suspended: str | None) -> tuple[Policy, Watch, dict[tuple[int, str], Claim]]:
    """The sources of a history at its beginning, the same as the plain statement has them, and what they define."""
    settings = {name: {**fields, "suspended": name == suspended} for name, fields in history.settings.items()}
    sources = told.sources_of(settings)
    defined = [one for one in history.messages() if one.obj is not None and one.obj["type"] == "marking-definition"]
    watch = Watch("", settings, {(one.centre, one.stix_id): Standing(0, one.obj or {}) for one in defined})
    by_name = {source.name: source for source in sources}
    claims = {(by_name[SourceName(name)].no, ref): claim.obj for (name, ref), claim in watch.claims.items()}
    return a_policy(*sources), watch, {(no, ref): a_claim(sources[no - 1], obj) for (no, ref), obj in claims.items()}


def others_in(history: told.History) -> Iterable[tuple[str, dict[str, Any]]]:
    """What is claimed in a history and has markings that decide who sees it."""
    for one in history.messages():
        if (
            one.obj is not None
            and one.obj["type"] != "marking-definition"
            and one.stix_id not in told.IDENTITY.values()
        ):
            yield one.centre, one.obj


@few(80)
@given(told.histories(operators=False), st.sampled_from([None, None, *told.SOURCES]))
def test_who_sees_a_claim_and_how_it_is_marked_is_what_the_rules_say(
    history: told.History, suspended: str | None
) -> None:
    policy, watch, definitions = of_history(history, suspended)
    # what lifting and normalising adds and removes
    otherwise = {"extensions", "is_active", "objects", "object_refs", "spec_version"}
    for name, obj in others_in(history):
        claim = a_claim(policy.sources[told.SOURCES.index(name) + 1], obj)
        for audience in AUDIENCES:
            p = seen(claim, policy, audience, definitions)
            assert (p is not None) == watch.may_see(name, obj, audience.level, audience.group), (obj, audience)
            if p is None:
                continue
            level, restrictions, statements = watch.marked_for(name, obj, *audience)
            assert p.level == level
            assert set(map(frozenset, p.restrictions)) == restrictions
            assert set(p.statements) == statements.keys()
            left = watch.seen_of(name, obj, *audience)
            assert p.unnamed or p.obj.keys() - otherwise == left.keys() - otherwise


def test_the_random_claims_are_seen_by_some_and_not_by_others() -> None:
    """The property would say little if nearly all of them were hidden."""
    visible = hidden = 0
    for seed in range(30):
        policy, _, definitions = of_history(told.a_history(seed, operators=False), None)
        for name, obj in others_in(told.a_history(seed, operators=False)):
            claim = a_claim(policy.sources[told.SOURCES.index(name) + 1], obj)
            found = audiences_of(claim, policy, definitions=definitions)
            visible, hidden = visible + bool(found), hidden + (not found)
    assert visible > 200
    assert hidden > 50


@pytest.mark.parametrize(
    ("level", "least", "groups"),
    [
        ("clear", Level.CLEAR, GROUPS),
        ("green", Level.GREEN, (COMMUNITY, NETWORK, HEALTH)),
        ("amber", Level.AMBER, (HEALTH,)),
        ("amber+strict", Level.AMBER_STRICT, (HEALTH,)),
        ("red", Level.RED, ()),
    ],
)
def test_a_level_goes_to_its_groups_and_no_lower_audience(
    level: str, least: Level, groups: tuple[GroupName, ...]
) -> None:
    policy = a_policy(replace(RO, ceiling=Level.RED, amber_to=(HEALTH,)))
    found = audiences_of(a_claim(RO, malware(tlp=level)), policy)
    assert found == {(one, group) for one in Level if one >= least for group in groups}


def test_a_part_is_shown_to_nobody_to_whom_an_object_of_its_level_would_not_go() -> None:
    green = {"marking_ref": TLP["green"], "selectors": ["description"]}
    claim = a_claim(RO, malware(tlp="clear", description="d", granular_markings=[green]))
    with_it = [one for one in AUDIENCES if (p := seen(claim, POLICY, one)) is not None and "description" in p.obj]
    assert {one.group for one in with_it} == {COMMUNITY, NETWORK, HEALTH}
    assert {one.level for one in with_it} == set(Level) - {Level.CLEAR}


@pytest.mark.parametrize("state", list(ClaimState))
def test_what_is_withdrawn_is_seen_by_nobody_and_what_is_revoked_is(state: ClaimState) -> None:
    claim = a_claim(RO, malware(tlp="clear", revoked=state is ClaimState.REVOKED or None))
    if state.is_withdrawn:
        stands = state is ClaimState.WITHDRAWN_STANDING
        gone = (standing_withdrawal if stands else withdrawal)(claim, a_stamp(1))
        assert gone is not None
        assert audiences_of(gone) == set()
        return
    p = seen(claim, POLICY, EVERYBODY)
    assert p is not None
    assert p.revoked == (state is ClaimState.REVOKED)


def test_nobody_sees_what_a_source_that_is_gone_has_claimed() -> None:
    assert audiences_of(a_claim(a_source(9), malware(tlp="clear"))) == set()


@pytest.mark.parametrize(
    ("definition", "least"),
    [
        (a_definition("Ask first"), Level.GREEN),
        (a_definition("TLP:AMBER"), Level.AMBER),
        (a_definition("TLP:CLEAR"), Level.GREEN),
        (a_definition("x", name="tlp:amber+strict"), Level.AMBER_STRICT),
        (a_definition("TLP:MAUVE"), None),
        (a_definition("TLP:RED"), None),  # above the ceiling
        (None, None),
    ],
)
def test_a_marking_of_its_own_counts_as_what_the_source_defines(
    definition: dict[str, Any] | None, least: Level | None
) -> None:
    claim = a_claim(RO, malware(object_marking_refs=[TLP["green"], OWN]))
    defined = {} if definition is None else {(RO.no, OWN): a_claim(RO, definition)}
    found = {level for level, group in audiences_of(claim, definitions=defined) if group == NETWORK}
    assert min(found, default=None) == least
    of_another = {} if definition is None else {(IT.no, OWN): a_claim(IT, definition)}
    assert audiences_of(claim, definitions=of_another) == set()


def test_a_definition_that_was_withdrawn_hides_what_carries_it() -> None:
    claim = a_claim(RO, malware(object_marking_refs=[TLP["green"], OWN]))
    gone = withdrawal(a_claim(RO, a_definition("Ask")), a_stamp(1))
    assert gone is not None
    assert audiences_of(claim, definitions={(RO.no, OWN): gone}) == set()


def test_a_definition_that_its_granular_markings_take_whole_hides_what_carries_it() -> None:
    red = {"marking_ref": TLP["red"], "selectors": ["definition"]}
    claim = a_claim(RO, malware(object_marking_refs=[TLP["green"], OWN]))
    for granular, is_seen in (None, True), ([red], False):
        definition = {**a_definition("Ask first"), **({"granular_markings": granular} if granular else {})}
        assert bool(audiences_of(claim, definitions={(1, OWN): a_claim(RO, definition)})) == is_seen


def test_a_definition_of_which_no_more_is_known_than_that_it_was_revoked_hides_what_carries_it() -> None:
    assert not decided_by({"type": "marking-definition", "id": OWN, "revoked": True}).readable
    assert decided_by(a_definition("Ask")).readable


def test_a_level_that_a_granular_marking_of_its_own_states_holds_for_the_whole() -> None:
    claim = a_claim(RO, malware(granular_markings=[{"marking_ref": OWN, "selectors": ["name"]}]))
    found = audiences_of(claim, definitions={(RO.no, OWN): a_claim(RO, a_definition("TLP:AMBER"))})
    assert min(level for level, _ in found) == Level.AMBER


def test_a_granular_marking_brings_nobody_to_whom_its_level_would_go_and_the_object_not() -> None:
    policy = a_policy(replace(RO, amber_to=(PUBLIC,)))
    amber = {"marking_ref": TLP["amber"], "selectors": ["name"]}
    assert {group for _, group in audiences_of(a_claim(RO, malware(tlp="amber")), policy)} == set(GROUPS)
    found = audiences_of(a_claim(RO, malware(tlp="green", granular_markings=[amber])), policy)
    assert {group for _, group in found} == set(GROUPS) - {PUBLIC}


def test_a_marking_definition_has_no_level_of_its_own() -> None:
    p = as_definition(a_claim(RO, a_definition("Ask", object_marking_refs=[TLP["red"]])), POLICY)
    assert (p.level, p.restrictions, p.statements) == (Level.CLEAR, (), ())


# ---------------------------------------------------------------- what a projection says of its claim


@pytest.mark.parametrize(
    ("kind", "author", "is_known", "is_own"),
    [
        ("indicator", None, True, True),  # section 1: without an author the source itself
        ("report", None, True, True),
        ("malware", None, False, False),  # nobody known
        ("malware", RO.identity, True, True),
        ("malware", StixId(f"identity--{uid('constituent')}"), True, True),
        ("malware", StixId(f"identity--{uid('vendor')}"), True, False),
    ],
)
def test_a_claim_is_own_when_its_author_is_its_source_or_somebody_it_speaks_for(
    kind: str, author: StixId | None, is_known: bool, is_own: bool
) -> None:
    source = replace(RO, speaks_for=frozenset({StixId(f"identity--{uid('constituent')}")}))
    more = {"indicator": an_indicator(), "report": {"name": "r", "object_refs": [malware()["id"]]}}.get(kind, {})
    obj = an_object(kind, "x", **{**malware(), **more, "type": kind, "created_by_ref": author})
    p = projection(a_policy(source), 1, obj)
    assert (p.author is not None, p.own) == (is_known, is_own)
    assert author is None or p.author == author


def test_the_identity_that_stands_for_a_source_under_an_alias_is_that_source() -> None:
    policy = a_policy(replace(RO, naming=Naming.ALIAS, alias="north"))
    p = projection(policy, 1, malware(created_by_ref=policy.alias_identity(policy.sources[1])))
    assert (p.author, p.own) == (RO.identity, True)


def stated_pap(p: Projection) -> str | None:
    """The PAP that a view of this projection states."""
    return next((label.removeprefix("PAP:") for label in merged_labels([p]) if label.startswith("PAP:")), None)


@pytest.mark.parametrize(
    ("labels", "statement", "pap"),
    [([], "Ask", None), (["PAP:GREEN"], "Ask", "GREEN"), (["pap:green", "PAP:RED"], "Ask", "RED"),
     (["PAP:GREEN"], "PAP:AMBER", "AMBER"), (["PAP:RED"], "PAP:AMBER", "RED"), ([], "PAP:WHITE", "CLEAR")],
)  # fmt: skip
def test_the_strictest_pap_of_labels_and_statements_travels(labels: list[str], statement: str, pap: str | None) -> None:
    claim = a_claim(RO, malware(object_marking_refs=[TLP["green"], OWN], labels=labels or None))
    p = seen(claim, POLICY, MEMBERS, {(RO.no, OWN): a_claim(RO, a_definition(statement))})
    assert p is not None
    assert stated_pap(p) == pap


def test_labels_stay_as_they_are_beside_the_pap() -> None:
    assert with_pap(["b", "a", "PAP:GREEN", "b"], [None, PAP_ORDER.index("AMBER")]) == ["b", "a", "b", "PAP:AMBER"]
    assert with_pap(["b", "b"], []) == ["b", "b"]


def test_a_pap_of_one_part_is_one_of_the_whole() -> None:
    claim = a_claim(RO, malware(granular_markings=[{"marking_ref": OWN, "selectors": ["name"]}]))
    p = seen(claim, POLICY, MEMBERS, {(RO.no, OWN): a_claim(RO, a_definition("PAP:AMBER"))})
    assert p is not None
    assert stated_pap(p) == "AMBER"


def test_the_pap_of_a_part_is_for_those_who_see_the_part() -> None:
    red = StixId("marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e")
    parts = [{"marking_ref": ref, "selectors": ["description"]} for ref in (red, TLP["amber"])]
    claim = a_claim(RO, malware(description="seen in logs", granular_markings=parts))
    members, centres = (seen(claim, POLICY, audience) for audience in (MEMBERS, CENTRES))
    assert members is not None
    assert centres is not None
    assert ("description" in members.obj, stated_pap(members)) == (False, None)
    assert ("description" in centres.obj, stated_pap(centres)) == (True, "RED")


def test_the_hash_of_a_claim_is_that_of_what_an_audience_sees() -> None:
    """It may decide a contested id, so nothing that is hidden may be in it."""
    part = {"marking_ref": TLP["amber"], "selectors": ["description"]}
    said = [malware(description=text, granular_markings=[part]) for text in ("A", "B")]
    for audience, equal in ((MEMBERS, True), (CENTRES, False)):
        digests = {p.digest for obj in said if (p := seen(a_claim(RO, obj), POLICY, audience)) is not None}
        assert len(digests) == (1 if equal else 2)
    bare = seen(a_claim(RO, malware()), POLICY, MEMBERS)
    cut = seen(a_claim(RO, said[0]), POLICY, MEMBERS)
    assert bare is not None
    assert cut is not None
    assert bare.digest == cut.digest


# ---------------------------------------------------------------- sources that do not go by their name

UNNAMED = [Naming.ALIAS, Naming.ANONYMOUS]
KINDS = sorted(TYPES.keys() - {"marking-definition"})
DRAWN = settings(max_examples=6, suppress_health_check=list(HealthCheck), deadline=None)
IDENTIFYING: dict[str, Any] = {
    "external_references": [{"source_name": "our portal", "url": "https://portal.example/1"}],
    "extensions": {f"extension-definition--{uid('ours')}": {"extension_type": "property-extension", "x_account": "me"}},
}


def left_of(obj: dict[str, Any], naming: Naming) -> dict[str, Any]:
    """What an audience gets of an object of a source's own, without what the hub replaces by its own."""
    policy = a_policy(replace(RO, naming=naming, alias="north", default_level=Level.GREEN))
    own = {name: value for name, value in obj.items() if name not in ("created_by_ref", "object_marking_refs")}
    p = projection(policy, 1, own)
    assert p.unnamed
    return {name: value for name, value in p.obj.items() if name not in ("created", "modified")}


def at_another_time(value: Any, clock: str) -> Any:
    """A value with another time of the same day for each time in it."""
    if isinstance(value, str):
        is_time = len(value) >= 20 and value[10:11] == "T" and value.endswith("Z") and value[:4].isdigit()
        return value[:11] + clock if is_time else value
    if isinstance(value, dict):
        return {name: at_another_time(inside, clock) for name, inside in value.items()}
    return [at_another_time(inside, clock) for inside in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS)
@DRAWN
@given(data=st.data())
def test_what_an_unnamed_source_says_does_not_depend_on_times_of_day_references_and_its_extensions(
    kind: str, data: st.DataObject
) -> None:
    obj, naming = data.draw(objects(kind)), data.draw(st.sampled_from(UNNAMED))
    published = {name: one for name, one in obj.get("extensions", {}).items() if name in OBSERVABLE_EXTENSIONS}
    one = {name: value for name, value in obj.items() if name not in IDENTIFYING}
    one |= {"extensions": published} if published else {}
    other = at_another_time(one, "11:22:33.456Z") | IDENTIFYING
    other["extensions"] = at_another_time(published, "11:22:33.456Z") | IDENTIFYING["extensions"]
    left, left_of_other = left_of(one, naming), left_of(other, naming)
    if "created" not in obj:  # an id may tell the exact value; then the view has one that the hub makes (``owner``)
        left["id"] = left_of_other["id"]
    assert left == left_of_other


@pytest.mark.parametrize("kind", KINDS)
@DRAWN
@given(data=st.data())
def test_what_is_left_of_what_an_unnamed_source_says_is_valid(kind: str, data: st.DataObject) -> None:
    obj = data.draw(objects(kind))
    left = left_of(obj, data.draw(st.sampled_from(UNNAMED)))
    assume(left.keys() - {"type", "spec_version", "id", "defanged"})  # else it has no view: ``references``
    of_the_hub: dict[str, Any] = {name: obj[name] for name in ("created", "modified", "created_by_ref") if name in obj}
    assert validate({**left, **of_the_hub}, Limits()) == []


def test_of_an_unnamed_source_a_beginning_is_the_start_of_its_day_and_an_end_the_end_of_it() -> None:
    said = an_object(
        "x-case", "x", created=moment(), modified=moment(), x_when="2026-01-31T12:34:56.789Z",
        x_deep=[{"last_seen": "2026-01-31T12:34:56Z", "x_then": ["2026-02-01T00:00:00.001Z"]}],
        valid_until="2026-01-31T00:00:00.000001Z", x_text="at 2026-01-31T12:34:56Z", x_number=7,
    )  # fmt: skip
    left = left_of(said, Naming.ANONYMOUS)
    assert {name: value for name, value in left.items() if name in said and name.startswith(("x_", "valid"))} == {
        "x_when": "2026-01-31T00:00:00.000Z",
        "x_deep": [{"last_seen": "2026-01-31T23:59:59.999Z", "x_then": ["2026-02-01T00:00:00.000Z"]}],
        "valid_until": "2026-01-31T23:59:59.999Z",
        "x_text": "at 2026-01-31T12:34:56Z",
        "x_number": 7,
    }


def test_of_an_unnamed_source_only_published_extensions_are_left() -> None:
    kept = {KEPT_EXTENSION: {"extension_type": "property-extension", "x_old": 1}, "ntfs-ext": {"sid": "s"}}
    said = an_object(
        "file", "f", created=None, modified=None, name="a.exe", extensions=kept | IDENTIFYING["extensions"]
    )
    assert left_of(said, Naming.ALIAS)["extensions"] == kept


def test_of_an_unnamed_source_the_exact_time_of_an_object_that_it_translates_is_left_out() -> None:
    said = an_object("language-content", "l", object_ref=malware()["id"], object_modified=moment(), contents={"de": {}})
    assert "object_modified" not in left_of(said, Naming.ANONYMOUS)


@pytest.mark.parametrize("naming", list(Naming))
@pytest.mark.parametrize("relayed", [True, False])
def test_only_what_is_an_unnamed_sources_own_or_nobodys_is_cut(naming: Naming, relayed: bool) -> None:
    policy = a_policy(replace(RO, naming=naming, alias="north"))
    author = f"identity--{uid('vendor')}" if relayed else None
    for obj in (malware(created_by_ref=author, **IDENTIFYING), an_indicator(created_by_ref=author, **IDENTIFYING)):
        p = projection(policy, 1, obj)
        assert p.unnamed == (naming is not Naming.NAMED and not relayed)
        assert (p.obj == obj) == (not p.unnamed)


# ---------------------------------------------------------------- since when it is seen

OTHERS = {group: marking_of(group) for group in GROUPS}
MARKS = [
    [TLP["clear"]], [TLP["green"]], [TLP["amber"]], [TLP["green"], OTHERS[HEALTH]], [TLP["green"], OTHERS[NETWORK]], [],
]  # fmt: skip
STATES = ["live", "live", "live", "revoked", "withdrawn"]
TERMS: list[dict[str, Any]] = [
    {}, {}, {"default_level": Level.GREEN}, {"default_level": Level.RED}, {"amber_to": ()}, {"amber_to": (COMMUNITY,)},
    {"ceiling": Level.GREEN, "default_level": Level.GREEN}, {"suspended": True},
]  # fmt: skip
"""What may hold for a source: among it all that decides who sees what carries the same markings."""
POLICIES = [a_policy(replace(RO, **terms), IT) for terms in TERMS]
versions = st.tuples(st.sampled_from([*MARKS, [TLP["green"], OWN]]), st.sampled_from(STATES), st.sampled_from(POLICIES))


@few(300)
@given(st.lists(versions, max_size=5), st.sampled_from(MARKS), st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_a_claim_is_seen_since_the_first_of_its_versions_that_an_audience_has_seen_without_a_break(
    earlier: list[tuple[list[str], str, Policy]], last: list[str], then: Policy, now: Policy
) -> None:
    """Semantics, section 6: an earlier version counts as seen by those who saw it when the next one came, and as not
    seen where it had a marking of the source's own.
    """
    claim = _after([*earlier, (last, "live", then)])
    policies = [policy for _, _, policy in earlier] + [then]
    for audience in AUDIENCES:
        p = seen(claim, now, audience)
        if p is None:
            continue
        begun = len(earlier)
        for second, (marks, state, _) in reversed(list(enumerate(earlier))):
            version = a_claim(RO, malware(object_marking_refs=marks))
            if state != "live" or seen(version, policies[second + 1], audience) is None:
                break
            begun = second
        assert p.since == a_stamp(begun), audience


@pytest.mark.parametrize(
    "hidden",
    [
        malware(tlp=None, labels=["tlp:mauve"]),
        malware(tlp="amber"),
        malware(granular_markings=[{"marking_ref": TLP["amber"], "selectors": ["name"]}]),
        malware(granular_markings=[{"marking_ref": OTHERS[HEALTH], "selectors": ["name"]}]),
    ],
)
def test_a_version_that_an_audience_may_not_see_ends_a_run(hidden: dict[str, Any]) -> None:
    versions = [malware(), hidden | {"modified": moment(1)}, malware(at=2)]
    for ceiling, audience in ((Level.AMBER_STRICT, MEMBERS), (Level.GREEN, CENTRES)):  # the ceiling was lowered since
        policy = a_policy(replace(RO, ceiling=ceiling, default_level=Level.GREEN))
        claim = None
        for second, obj in enumerate(versions):
            claim = following(claim, a_claim(RO, obj, second), policy)
        assert claim is not None
        p = seen(claim, policy, audience)
        assert p is not None
        assert p.since == a_stamp(2)


def _after(versions: list[tuple[list[str], str, Policy]]) -> Claim:
    """The claim after these versions, a second between two, each under the policy that held when it came."""
    claim: Claim | None = None
    for second, (marks, state, policy) in enumerate(versions):
        if state == "withdrawn":
            claim = None if claim is None else withdrawal(claim, a_stamp(second)) or claim
            continue
        revoked = True if state == "revoked" else None
        obj = malware(object_marking_refs=marks, modified=moment(second), revoked=revoked)
        claim = following(claim, a_claim(RO, obj, second), policy)
    assert claim is not None
    return claim


def test_a_version_that_nobody_saw_for_its_marking_does_not_count_once_the_marking_is_defined() -> None:
    """Semantics, section 6, and INV-5: without the first version everything must be as it is with it."""
    marks = [TLP["green"], OWN]
    claim = _after([(marks, "live", POLICY), (marks, "live", POLICY)])
    p = seen(claim, POLICY, MEMBERS, {(RO.no, OWN): a_claim(RO, a_definition("Ask first"), 2)})
    assert p is not None
    assert p.since == a_stamp(1)


@pytest.mark.parametrize(
    ("marks", "hiding"),
    [
        ([], {"default_level": Level.RED}),
        ([], {"default_level": Level.GREEN, "suspended": True}),
        ([TLP["amber"]], {"amber_to": ()}),
    ],
)
def test_a_version_that_nobody_saw_for_its_sources_terms_does_not_count_once_others_hold(
    marks: list[str], hiding: dict[str, Any]
) -> None:
    """The same, where it is the operator who opens: a lower default level, more recipients, an end of a suspension."""
    audience = Audience(Level.AMBER, COMMUNITY)
    hidden, opened = (
        a_policy(a_source(1, **{"amber_to": (COMMUNITY,), "default_level": Level.GREEN} | terms))
        for terms in (hiding, {})
    )
    claim = _after([(marks, "live", hidden), (marks, "live", hidden)])
    assert seen(claim, hidden, audience) is None
    p = seen(claim, opened, audience)
    assert p is not None
    assert p.since == a_stamp(1)
    p = seen(_after([(marks, "live", hidden), (marks, "live", opened)]), opened, audience)
    assert p is not None
    assert p.since == a_stamp(0)  # it was seen when the next one came


def test_how_much_is_kept_of_earlier_versions_does_not_grow_with_their_number() -> None:
    claims = [_after([([TLP["green"]], "live", POLICY)] * number) for number in (1, 2, 9)]
    assert [len(claim.since) for claim in claims][1:] == [len(claims[1].since)] * 2
    assert [seen(claim, POLICY, MEMBERS).since for claim in claims] == [a_stamp(0)] * 3  # type: ignore[union-attr]
    turns = [_after([([TLP["green" if n % 2 else "amber"]], "live", POLICY) for n in range(many)]) for many in (3, 9)]
    assert len(turns[0].since) == len(turns[1].since)
    assert [seen(claim, POLICY).since for claim in turns] == [a_stamp(0)] * 2  # type: ignore[union-attr]


# ---------------------------------------------------------------- what a view may say of its groups


def marked(level: str, *groups: GroupName, granular: GroupName | None = None) -> Projection:
    """A projection of a claim with these markings, for whoever sees it."""
    obj = malware(object_marking_refs=[TLP[level], *(OTHERS[group] for group in groups)])
    if granular is not None:
        obj["granular_markings"] = [{"marking_ref": OTHERS[granular], "selectors": ["name"]}]
    claim = a_claim(replace(RO, ceiling=Level.RED), obj)
    policy = a_policy(replace(RO, ceiling=Level.RED))
    return next(p for audience in AUDIENCES if (p := seen(claim, policy, audience)) is not None)


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ([marked("green")], ()),
        ([marked("green"), marked("green", HEALTH)], (HEALTH,)),
        ([marked("green", COMMUNITY), marked("green", HEALTH)], (HEALTH,)),
        ([marked("green", HEALTH, NETWORK), marked("green", HEALTH)], (HEALTH,)),
        ([marked("green", HEALTH, NETWORK)], (HEALTH, NETWORK)),
        ([marked("green", PUBLIC, HEALTH)], (PUBLIC,)),  # which covers the other
        ([marked("green", COMMUNITY, granular=HEALTH)], (HEALTH,)),
        ([marked("green", HEALTH), marked("green", NETWORK)], ()),  # which nobody sees together
    ],
)
def test_a_view_is_restricted_to_the_groups_that_all_restricted_claims_cover(
    claims: list[Projection], groups: tuple[GroupName, ...]
) -> None:
    assert view_groups(claims) == groups


marked_claims = st.builds(
    lambda level, groups, granular: (level, tuple(groups), granular),
    st.sampled_from(["clear", "green", "amber"]),
    st.lists(st.sampled_from(GROUPS), unique=True, max_size=3),
    st.sampled_from([None, None, *GROUPS]),
)


def seen_by(audience: Any) -> Callable[[tuple[str, tuple[GroupName, ...], GroupName | None]], Projection | None]:
    def found(marks: tuple[str, tuple[GroupName, ...], GroupName | None]) -> Projection | None:
        level, groups, granular = marks
        obj = malware(object_marking_refs=[TLP[level], *(OTHERS[group] for group in groups)])
        if granular is not None:
            obj["granular_markings"] = [{"marking_ref": OTHERS[granular], "selectors": ["name"]}]
        return seen(a_claim(RO, obj), POLICY, audience)

    return found


@few(200)
@given(st.lists(marked_claims, min_size=1, max_size=4), st.sampled_from(AUDIENCES), st.data())
def test_the_markings_of_a_view_give_it_to_nobody_who_may_not_see_each_claim_in_it(
    drawn: list[Any], audience: Any, data: st.DataObject
) -> None:
    """INV-11: whoever the markings of the view admit, each of its claims admits; and its own audience they admit."""
    live = [p for p in map(seen_by(audience), drawn) if p is not None]
    groups = view_groups(live)
    assert view_groups(data.draw(st.permutations(live))) == groups
    restricted = [p for p in live if p.restrictions]
    assert bool(groups) == bool(restricted)
    assert not restricted or any(covers(group, audience.group) for group in groups)
    for reader in GROUPS:
        if any(covers(group, reader) for group in groups):
            assert all(any(covers(to, reader) for to in some) for p in live for some in p.restrictions)
    level = max((p.level for p in live), default=Level.CLEAR)
    assert all(no_stricter(p, level, groups) for p in live)
    assert all(not any(covers(one, other) for other in groups if other != one) for one in groups)


@few(200)
@given(marked_claims, marked_claims, st.sampled_from(AUDIENCES))
def test_what_is_no_stricter_than_a_view_admits_all_whom_the_view_admits(one: Any, other: Any, audience: Any) -> None:
    view, told_of = seen_by(audience)(one), seen_by(audience)(other)
    if view is None or told_of is None:
        return
    groups = view_groups([view])
    admits = [
        reader
        for reader in AUDIENCES
        if reader.level >= view.level and (not groups or any(covers(group, reader.group) for group in groups))
    ]
    all_may = all(
        reader.level >= told_of.level
        and all(any(covers(to, reader.group) for to in some) for some in told_of.restrictions)
        for reader in admits
    )
    if groups or not told_of.restrictions:
        assert no_stricter(told_of, view.level, groups) == all_may
    else:  # a view that names no group says of none that it covers its own
        assert not no_stricter(told_of, view.level, groups)


def test_a_claim_of_a_group_is_stricter_than_a_view_for_all() -> None:
    assert not no_stricter(marked("green", HEALTH), Level.GREEN, ())
    assert not no_stricter(marked("green", HEALTH), Level.GREEN, (COMMUNITY,))
    assert no_stricter(marked("green", COMMUNITY), Level.GREEN, (HEALTH,))
    assert no_stricter(marked("green", HEALTH), Level.GREEN, (HEALTH,))
    assert not no_stricter(marked("amber", HEALTH), Level.GREEN, (HEALTH,))
