"""Which of several claims under one id is shown, and what becomes of observables: docs/semantics.md, section 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.merge.content import Content
from hub.core.merge.owner import attributed, marking, observable, owners, owners_choice
from hub.core.merge.project import Projection, as_definition
from hub.core.validate import validate
from hub.model.claims import digest_of
from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import Policy
from hub.model.stix_types import SCO_TYPES
from hub.model.words import Limits, Naming, StixId
from tests.core.claims import CENTRES, a_claim, a_policy, a_source, a_stamp, projection, seen
from tests.core.drawn import objects
from tests.examples import few
from tests.story import TLP, an_object, malware, marking_of, moment, uid

CONSTITUENT = StixId(f"identity--{uid('constituent')}")
VENDORS = [StixId(f"identity--{uid('vendor', n)}") for n in range(2)]
OWN = f"marking-definition--{uid('own')}"
KNOWN = StixId(f"identity--{uid('known')}")
"""An object of the hub that is referred to."""
POLICY = a_policy(a_source(1, speaks_for=frozenset({CONSTITUENT})), a_source(2), a_source(3), a_source(4, trust=50))
RO, IT, PL, LESS = (POLICY.sources[no].identity for no in POLICY.sources)


def said(no: int, author: str | None, name: str = "m", *, at: float = 0, second: float = 0, **more: Any) -> Projection:
    """What a source claims under the one id of these tests, which stands since a second of the story."""
    return projection(POLICY, no, malware(created_by_ref=author, at=at, **{"name": name, **more}), second)


def shown(*claims: Projection, by: str | None = None) -> Projection:
    """The one that is shown, in whatever order they come. ``by``: the author to whom the id is pinned."""
    pins = {} if by is None else {StixId(malware()["id"]): StixId(by)}
    (chosen,) = {id(found): found for found in (owners_choice(some, pins) for some in permutations(claims))}.values()
    return chosen


# ---------------------------------------------------------------- of one author


def test_of_one_author_its_own_claim_comes_before_the_relayed() -> None:
    own = said(1, CONSTITUENT, at=0)
    assert shown(own, said(2, CONSTITUENT, at=9)) is own


def test_of_one_author_the_greatest_modified_counts() -> None:
    newest = said(4, VENDORS[0], at=5)
    assert shown(said(1, VENDORS[0], at=4, second=-1), newest) is newest


def test_of_one_author_trust_decides_between_equal_versions() -> None:
    trusted = said(2, VENDORS[0], "a")
    for name in "bcdefgh":  # whatever their hashes are
        assert shown(trusted, said(4, VENDORS[0], name)) is trusted


def test_of_one_author_the_greatest_hash_decides_at_last() -> None:
    for names in ("abc", "bcd", "cde", "def"):  # in which the greatest is not always of the same source
        claims = [said(no, VENDORS[0], name) for no, name in enumerate(names, 1)]
        assert shown(*claims) is max(claims, key=lambda p: p.digest)


# ---------------------------------------------------------------- of several authors


def test_the_author_counts_whom_most_sources_name() -> None:
    named = said(2, VENDORS[0], at=1, second=5), said(4, VENDORS[0], second=6)
    assert shown(said(1, RO, at=9, second=0), *named) is named[0]


def test_who_has_revoked_a_claim_names_its_author_no_more() -> None:
    revoked = [said(no, VENDORS[0], second=0, revoked=True) for no in (1, 2)]
    live = said(3, PL, second=9)
    assert shown(*revoked, live) is live
    assert shown(*revoked, said(4, VENDORS[0], second=8), live).author == VENDORS[0]  # seen longer


def test_where_none_is_live_the_author_counts_whom_most_sources_have_named() -> None:
    revoked = [said(no, VENDORS[0], second=5, revoked=True) for no in (1, 2)]
    assert shown(*revoked, said(3, PL, at=9, second=0, revoked=True)) in revoked


def test_of_authors_that_as_many_name_the_one_counts_whose_claim_has_been_seen_longest() -> None:
    first = said(4, LESS, at=0, second=1)
    assert shown(said(1, RO, at=9, second=2), first) is first


def test_an_author_has_been_seen_as_long_as_the_first_of_its_claims() -> None:
    mine = said(1, VENDORS[0], at=9, second=5), said(2, VENDORS[0], second=1)
    theirs = said(3, VENDORS[1], at=9, second=2), said(4, VENDORS[1], second=2)
    assert shown(*mine, *theirs) is mine[0]


def test_a_revoked_claim_has_not_been_seen_for_any_time() -> None:
    revoked = said(1, RO, at=9, second=0, revoked=True)
    live = said(2, IT, at=0, second=5)
    assert shown(revoked, live) is live
    of_vendor = said(1, VENDORS[0], second=0, revoked=True), said(2, VENDORS[0], at=2, second=7)
    assert shown(*of_vendor, said(3, VENDORS[1], second=6)).author == VENDORS[1]


def test_of_authors_that_have_been_seen_as_long_the_greatest_modified_counts_then_trust_then_the_hash() -> None:
    newest = said(4, LESS, at=5)
    assert shown(said(1, RO, at=4), newest) is newest
    trusted = said(1, RO)
    for name in "bcdefgh":
        assert shown(trusted, said(4, LESS, name)) is trusted
    claims = [said(no, author, name) for no, author, name in ((1, RO, "a"), (2, IT, "b"), (3, PL, "c"))]
    assert shown(*claims) is max(claims, key=lambda p: p.digest)


def test_of_each_author_the_claim_is_compared_that_would_be_shown() -> None:
    own, relayed = said(1, CONSTITUENT, at=1), said(2, CONSTITUENT, at=9)
    others = said(3, VENDORS[0], at=5), said(4, VENDORS[0], at=5)
    assert shown(own, relayed, *others) is others[0]


def test_the_unknown_author_of_a_source_is_another_than_that_of_the_next() -> None:
    unknown = said(1, None, at=9, second=5), said(2, None, at=9, second=6)
    first = said(3, PL, second=1)
    assert shown(*unknown, first) is first  # or two sources would name one author


def test_a_revoked_object_is_shown_where_it_is_what_its_owner_says() -> None:
    revoked = said(1, RO, at=9, revoked=True)
    assert shown(revoked) is revoked
    chosen = shown(revoked, said(2, RO, at=0))
    assert chosen.revoked


# ---------------------------------------------------------------- the order in which claims come

NAMINGS = (Naming.NAMED, Naming.NAMED, Naming.ALIAS, Naming.ANONYMOUS)
AUTHORS = [None, "own", *VENDORS]


@st.composite
def contested(draw: st.DrawFn) -> tuple[Policy, list[Projection]]:
    """What several sources claim under one id, each once: of few contents, times and authors, so that much is equal."""
    some = draw(st.sets(st.integers(1, 4), min_size=1))
    terms = {no: {"naming": draw(st.sampled_from(NAMINGS)), "trust": draw(st.sampled_from([100, 50]))} for no in some}
    policy = a_policy(*(a_source(no, alias=f"alias {no}", **more) for no, more in terms.items()))
    definition = an_object(
        "marking-definition", "m", tlp=None, definition_type="statement", definition={"statement": "Ask"}
    )
    del definition["modified"]
    claims = []
    for no in sorted(some):
        author = draw(st.sampled_from(AUTHORS))
        obj = malware(
            name=draw(st.sampled_from("ab")),
            at=draw(st.sampled_from([0, 1])),
            created_by_ref=policy.sources[no].identity if author == "own" else author,
            object_marking_refs=draw(st.sampled_from([[TLP["green"]], [TLP["green"], OWN]])),
            revoked=draw(st.sampled_from([None, None, True])),
        )
        claim = a_claim(policy.sources[no], obj, draw(st.integers(0, 2)))
        p = seen(claim, policy, CENTRES, {(no, OWN): a_claim(policy.sources[no], definition | {"id": OWN})})
        assert p is not None
        claims.append(p)
    return policy, claims


def view(policy: Policy, claims: Sequence[Projection]) -> Content:
    chosen = owners_choice(claims, {})
    return owners(chosen, chosen.obj, policy, ())


# ---------------------------------------------------------------- an id that is pinned


def test_the_author_to_whom_an_id_is_pinned_comes_before_one_whom_more_centres_name() -> None:
    many = [said(no, VENDORS[0], second=-9) for no in (1, 2, 3)]
    pinned = [said(4, VENDORS[1], at=1), said(3, VENDORS[1], at=2)]
    assert shown(*many, *pinned) in many
    assert shown(*many, *pinned, by=VENDORS[1]) is pinned[1]


def test_of_a_pinned_author_the_own_claim_comes_first_as_ever() -> None:
    own = said(2, IT)
    assert shown(said(1, None, second=-1), said(3, IT, at=9), own, by=IT) is own


def test_what_states_no_author_is_the_pinned_sources_own() -> None:
    mine = said(3, None)
    assert shown(said(1, RO, second=-2), said(2, RO, second=-1), mine, by=PL) is mine


def test_what_states_no_author_is_not_the_pinned_author_s_if_another_sends_it() -> None:
    mine = said(3, None)
    assert shown(said(1, None, at=9, second=-2), mine, by=PL) is mine


def test_a_pin_to_somebody_who_claims_nothing_there_decides_nothing() -> None:
    claims = [said(1, VENDORS[0], second=-1), said(2, VENDORS[1])]
    assert shown(*claims, by=PL) is shown(*claims)


def test_a_pin_of_another_id_decides_nothing() -> None:
    claims = [said(1, VENDORS[0], second=-1), said(2, VENDORS[1])]
    assert owners_choice(claims, {StixId(malware("other")["id"]): VENDORS[1]}) is claims[0]


@few(100)
@given(contested())
def test_what_is_shown_is_what_would_be_if_its_author_alone_were_named(drawn: tuple[Policy, list[Projection]]) -> None:
    _, claims = drawn
    chosen = owners_choice(claims, {})
    of_its_author = [p for p in claims if (p.author or p.source.no) == (chosen.author or chosen.source.no)]
    assert owners_choice(of_its_author, {}).digest == chosen.digest


@few(300)
@given(contested(), st.data())
def test_what_is_shown_does_not_depend_on_the_order_of_the_claims(
    drawn: tuple[Policy, list[Projection]], data: st.DataObject
) -> None:
    policy, claims = drawn
    assert view(policy, data.draw(st.permutations(claims))) == view(policy, claims)


def test_of_sources_that_say_the_very_same_it_does_not_matter_which_comes_first() -> None:
    """Which of them it is shows: the marking that goes along is as that source defines it."""
    definition = an_object("marking-definition", "m", tlp=None, definition_type="statement", id=OWN)
    defined = {
        (no, OWN): a_claim(POLICY.sources[no], definition | {"definition": {"statement": f"Ask {no}"}}) for no in (1, 2)
    }
    obj = malware(created_by_ref=VENDORS[0], object_marking_refs=[TLP["green"], OWN])
    one, other = (projection(POLICY, no, obj, definitions=defined) for no in (1, 2))
    assert view(POLICY, [one, other]) == view(POLICY, [other, one])


# ---------------------------------------------------------------- owner's objects


def made(found: Content) -> dict[str, Any]:
    """The properties of a content."""
    obj = orjson.loads(b"{" + found.rest)
    assert isinstance(obj, dict)
    return obj


def test_an_owners_object_is_shown_whole_under_its_own_id_and_times() -> None:
    granular = [{"marking_ref": TLP["green"], "selectors": ["name"]}]
    p = said(1, VENDORS[0], description="d", granular_markings=granular)
    found = owners(p, p.obj, POLICY, (KNOWN,))
    assert (found.own_id, found.created, found.modified) == (p.obj["id"], p.obj["created"], p.obj["modified"])
    assert made(found) == {
        "name": "m", "description": "d", "is_family": False, "created_by_ref": VENDORS[0],
        "object_marking_refs": [TLP["green"]],
    }  # fmt: skip
    assert found.uses == (TLP["green"], KNOWN)


def test_nobody_speaks_in_the_hubs_extension() -> None:
    forged = {VIEW_EXTENSION: {"extension_type": "property-extension", "sources": []}}
    another = {f"extension-definition--{uid('x')}": {"extension_type": "property-extension", "x": 1}}
    alone, beside = (said(1, None, extensions=one) for one in (forged, forged | another))
    assert "extensions" not in made(owners(alone, alone.obj, POLICY, ()))
    assert made(owners(beside, beside.obj, POLICY, ()))["extensions"] == another
    assert "extensions" not in union(observed(1, a_file(extensions=forged)))


@pytest.mark.parametrize("naming", [Naming.ALIAS, Naming.ANONYMOUS])
def test_an_object_of_an_unnamed_source_has_an_id_and_times_that_the_hub_makes(naming: Naming) -> None:
    policy = a_policy(a_source(1, naming=naming, alias="north"))
    author = policy.alias_identity(policy.sources[1]) if naming is Naming.ALIAS else policy.hub_identity
    own, nobodys, relayed = (projection(policy, 1, malware(created_by_ref=author)) for author in (RO, None, VENDORS[0]))
    found = owners(own, attributed(own, policy), policy, ())
    assert (found.own_id, found.created, found.modified) == (None, None, None)
    assert made(found)["created_by_ref"] == author
    assert owners(nobodys, nobodys.obj, policy, ()).own_id is None
    assert attributed(nobodys, policy) == nobodys.obj
    assert attributed(relayed, policy) == relayed.obj
    assert owners(relayed, relayed.obj, policy, ()).own_id == relayed.obj["id"]


@pytest.mark.parametrize("naming", list(Naming))
def test_a_marking_of_an_unnamed_source_goes_by_an_id_that_the_hub_makes_for_it(naming: Naming) -> None:
    policy = a_policy(a_source(1, naming=naming, alias="north"))
    definition = an_object(
        "marking-definition", "m", tlp="green", definition_type="statement", definition={"statement": "Ask"},
        created_by_ref=RO,
    )  # fmt: skip
    p = as_definition(a_claim(policy.sources[1], definition), policy)
    found = marking(p, p.obj, policy, ())
    is_named = naming is Naming.NAMED
    assert (found.own_id == definition["id"]) == is_named
    assert found.created == (definition["created"] if is_named else definition["created"][:10] + "T00:00:00.000Z")
    assert made(found) == {
        "definition_type": "statement", "definition": {"statement": "Ask"},
        **({"created_by_ref": RO} if is_named else {}),
    }  # fmt: skip


# ---------------------------------------------------------------- observables


def observed(no: int, obj: dict[str, Any], **more: Any) -> Projection:
    """A projection of an observable as it is, without what ``normalise`` adds."""
    obj = {"object_marking_refs": [TLP["green"]], **obj, **more}
    return replace(projection(POLICY, no, obj), obj=obj)


def a_file(**more: Any) -> dict[str, Any]:
    return an_object("file", "f", tlp="green", created=None, modified=None, **{"name": "a.exe", **more})


def union(*claims: Projection, policy: Policy = POLICY) -> dict[str, Any]:
    found = observable(claims, policy, ())
    assert (found.created, found.modified) == (None, None)
    return {"type": found.type, "spec_version": "2.1", "id": found.own_id, **made(found)}


def test_an_observable_says_what_all_say_and_the_best_ranked_first() -> None:
    found = union(observed(1, a_file(size=1)), observed(2, a_file(size=2, mime_type="text/plain")))
    assert (found["size"], found["mime_type"], found["name"]) == (1, "text/plain", "a.exe")


def test_labels_references_and_markings_of_an_observable_are_united() -> None:
    reference = [{"source_name": name} for name in ("a", "b")]
    one = observed(1, a_file(), labels=["b", "tlp:green"], external_references=[reference[1]])
    two = observed(
        2, a_file(), labels=["a", "PAP:RED"], external_references=reference,
        object_marking_refs=[TLP["amber"], marking_of("network")],
    )  # fmt: skip
    found = union(one, two)
    assert found["labels"] == ["PAP:RED", "a", "b"]
    assert found["external_references"] == reference
    assert found["object_marking_refs"] == [TLP["amber"], marking_of("network")]
    assert observable([one, two], POLICY, (KNOWN,)).uses == (TLP["amber"], marking_of("network"), KNOWN)


@pytest.mark.parametrize(
    ("kind", "better", "worse", "left"),
    [
        ("artifact", {"payload_bin": "QUJD"}, {"url": "http://c2.example/"}, {"url"}),
        ("artifact", {"url": "http://c2.example/"}, {"payload_bin": "QUJD"}, {"payload_bin"}),
        ("email-message", {"is_multipart": True}, {"is_multipart": False, "body": "x"}, {"body"}),
        ("email-message", {"is_multipart": False}, {"is_multipart": True, "body_multipart": [{"body": "x"}]},
         {"body_multipart"}),
        ("network-traffic", {"start": moment(5)}, {"end": moment(4)}, {"end"}),
        ("network-traffic", {"start": moment(5)}, {"end": moment(5)}, set()),
        ("network-traffic", {"end": moment(4)}, {"start": moment(5)}, {"start"}),
        ("network-traffic", {"is_active": True}, {"end": moment(4)}, {"end"}),
        ("network-traffic", {"is_active": False}, {"end": moment(4)}, set()),
        ("network-traffic", {"end": moment(4)}, {"is_active": True}, {"is_active"}),
        ("network-traffic", {"end": moment(4)}, {"is_active": False}, set()),
    ],
)  # fmt: skip
def test_what_stix_forbids_to_stand_beside_a_better_ranked_property_is_left_out(
    kind: str, better: dict[str, Any], worse: dict[str, Any], left: set[str]
) -> None:
    obj = an_object(kind, "x", tlp="green", created=None, modified=None, x_common=1)
    if kind == "network-traffic":
        obj |= {"protocols": ["tcp"], "src_ref": f"ipv4-addr--{uid('a')}"}
    found = union(observed(1, obj | better), observed(2, obj | worse))
    assert worse.keys() - better.keys() - found.keys() == left
    assert found == found | better


@pytest.mark.parametrize("kind", sorted(SCO_TYPES))
@settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_a_union_of_valid_observables_is_valid_and_says_what_one_of_them_says(kind: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(objects(kind), min_size=1, max_size=3))
    same = {"id": some[0]["id"], "object_marking_refs": [TLP["green"]]}
    ranked = [observed(no, obj | same) for no, obj in enumerate(some, 1)]
    found = union(*ranked)
    assert validate(found, Limits()) == []
    for name, value in found.items():
        if name not in ("id", "object_marking_refs", "labels", "external_references"):
            assert value in [p.obj.get(name) for p in ranked]


def test_an_observable_of_unnamed_sources_whose_id_tells_more_than_is_shown_gets_one_of_the_hub() -> None:
    policy = a_policy(a_source(1, naming=Naming.ANONYMOUS), a_source(2))
    traffic = an_object(
        "network-traffic", "t", created=None, modified=None, protocols=["tcp"], src_ref=f"ipv4-addr--{uid('a')}",
        start=moment(5),
    )  # fmt: skip
    hidden, named = projection(policy, 1, traffic), projection(policy, 2, traffic)
    for ranked in ([named], [named, hidden], [hidden, named]):
        assert union(*ranked, policy=policy)["id"] == named.obj["id"]
    made_up = union(hidden, policy=policy)["id"]
    assert made_up != named.obj["id"]
    assert made_up[-22] == "4"
    tells_no_more = projection(policy, 1, {name: value for name, value in traffic.items() if name != "start"})
    assert union(tells_no_more, policy=policy)["id"] == tells_no_more.obj["id"]


def test_equal_unions_are_equal_bytes() -> None:
    """What is drawn from a store and what has just come must not differ by the order of their properties."""
    one = observed(1, a_file(size=1, mime_type="text/plain"))
    other = replace(one, obj=dict(reversed(one.obj.items())))
    assert observable([one], POLICY, ()) == observable([other], POLICY, ())
    assert observable([one], POLICY, ()).digest == digest_of(b"file" + observable([one], POLICY, ()).rest)
    assert one.since == a_stamp(0)
