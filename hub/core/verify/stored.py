"""Compares what is stored of one claim, or of one view, with what it must be."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

import orjson

from hub.core.merge.content import Content, rendered, rendered_rest
from hub.core.merge.facts import indexed_references
from hub.core.merge.references import is_merging_type, object_key
from hub.core.merge.solution import Place, made_id
from hub.model.claims import Change, Claim, View, claim_key, digest_of
from hub.model.policy import Policy
from hub.model.stix_types import Identity, stix_type
from hub.model.times import parse_us, stix_time
from hub.model.verification import Difference, StorePart
from hub.model.words import CanonicalKey
from hub.patterns import pattern_key

# ---------------------------------------------------------------- claims


def claim_differences(claim: Claim, indexed: Set[str], policy: Policy) -> list[Difference]:
    """What is wrong with a contribution, or with its row of the index of references (``indexed``).

    With any difference of ``StorePart.CLAIM`` its views cannot be computed.
    """
    if claim.source not in policy.sources:
        return [_of_claim(StorePart.CLAIM, claim, "is of a source that there is not")]
    if claim.key != claim_key(claim.source, claim.id):
        return [_of_claim(StorePart.CLAIM, claim, "is stored under another key than its own")]
    if claim.body and claim.digest != digest_of(claim.body):
        return [_of_claim(StorePart.CLAIM, claim, "has another content than its digest says")]
    if claim.body and claim.thing != _thing_of(claim):
        return [_of_claim(StorePart.CLAIM, claim, "is filed under another thing than its content says")]
    must = set(indexed_references(claim, policy))
    extra = {ref for ref in indexed - must if ref not in policy.registered and ref != policy.hub_identity}
    if must - indexed or extra:
        return [_of_claim(StorePart.INDEX, claim, "is indexed under other references than its content has")]
    return []


def _of_claim(part: StorePart, claim: Claim, says: str) -> Difference:
    return Difference(part, says, object_id=claim.id, key=claim.key, source=claim.source)


def _thing_of(claim: Claim) -> CanonicalKey | None:
    """The thing that a normalised object is about (docs/semantics.md, section 4)."""
    obj = claim.obj
    match stix_type(claim.type).identity:
        case Identity.PATTERN if "pattern" in obj:
            return pattern_key(obj["pattern_type"], obj["pattern"])
        case Identity.ENDS if "source_ref" in obj and "target_ref" in obj:
            merges = is_merging_type(obj["source_ref"]) or is_merging_type(obj["target_ref"])
            return None if merges else object_key(obj["id"])
        case Identity.ID | Identity.VALUE:
            return object_key(obj["id"])
        case _:  # of an object that is not valid only its revocation counts
            return claim.thing


def mended(claim: Claim, policy: Policy) -> Claim | None:
    """The contribution with a digest and a thing that fit its content; None if its content cannot be read, or is not
    that of its key.
    """
    if claim.source not in policy.sources or claim.key != claim_key(claim.source, claim.id):
        return None
    if not claim.body:
        return claim
    try:
        thing = _thing_of(claim)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return replace(claim, digest=digest_of(claim.body), thing=thing)


# ---------------------------------------------------------------- views


def view_differences(policy: Policy, at: Place, view: View | None, content: Content | None) -> list[Difference]:
    """How a stored view differs from its content; None: it must not be shown."""
    if view is not None:
        says, object_id = _view_says(policy, at, view, content), view.object_id
    elif content is not None:
        first = policy.collections[at[0]].first_generation
        says, object_id = "should be shown and is not", content.own_id or made_id(policy, at, content.type, first)
    else:
        return []
    return [] if says is None else [Difference(StorePart.VIEW, says, *at, object_id=object_id)]


def row_differences(at: Place, view: View, row: Change | None, content: Content | None) -> list[Difference]:
    """How the row that a view points to differs from its content; None: nothing is shown."""
    says = next(_row_says(view, row, content), None)
    return [] if says is None else [Difference(StorePart.ROW, says, *at, object_id=view.object_id, seq=view.seq)]


def _view_says(policy: Policy, at: Place, view: View, content: Content | None) -> str | None:
    if content is None:
        return "is shown and should not be" if view.alive else None
    if not view.alive:
        return "should be shown and is not"
    object_id = content.own_id or made_id(policy, at, content.type, view.generation)
    if view.object_id != object_id:
        return f"should be shown as {object_id}"
    if view.late_us is not None:
        return None  # it shows what it showed before, until its next version is due
    if view.digest != content.digest or view.type != content.type:
        return "is shown with other content"
    if view.uses != content.uses and set(view.uses) != set(content.uses):
        return "is noted as using other markings and identities"
    if view.due_day != content.due_day:
        return "is noted to change at another date"
    return None


def _row_says(view: View, row: Change | None, content: Content | None) -> Iterator[str]:
    """What is wrong with the row of a view whose content is right."""
    if row is None:
        yield "points to a row that there is not"
    elif row.object_id != view.object_id or row.type != view.type:
        yield "points to a row of another object"
    elif row.withdrawn is view.alive:
        yield "points to a row that says the opposite"
    elif content is not None and not _is_of(row.body, view, content):
        yield "points to a row with other content"
    elif content is not None and row.version_us != (view.modified_us or view.created_us or row.date_added_us):
        yield "points to a row with another version"


def _is_of(body: bytes, view: View, content: Content) -> bool:
    """Whether a row's bytes are those of a view with this content."""
    if content.own_id is None:
        return body == rendered(content, view.object_id, stix_time(view.created_us), stix_time(view.modified_us))
    rest = rendered_rest(content)
    if not body.endswith(rest):
        return False
    try:
        head = orjson.loads(body[: -len(rest)] + b"}")
    except orjson.JSONDecodeError:
        return False
    times = [parse_us(head.pop(name)) if name in head else 0 for name in ("created", "modified")]
    return head == {"type": view.type, "spec_version": "2.1", "id": view.object_id} and times == [
        view.created_us,
        view.modified_us,
    ]
