"""The bodies of explanations."""

from __future__ import annotations

from typing import Any

from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import Collection
from hub.questions.around import Around
from hub.questions.explained import KnownClaim, KnownFeedback, KnownThing, KnownView, Linked
from hub.questions.kept_out import Absence, KeptClaim, SeenThing
from hub.questions.past import Lacking, Past, PastThing
from schemas.explanation import (
    AbsentClaim,
    ExplainedAbsence,
    ExplainedClaim,
    ExplainedFeedback,
    ExplainedLack,
    ExplainedLink,
    ExplainedNear,
    ExplainedSource,
    ExplainedThing,
    ExplainedVersion,
    ExplainedView,
)


def around_fields(found: Around) -> dict[str, Any]:
    """What is shown around a value, as fields of an explanation."""
    near = [
        ExplainedNear(
            relation=one.relation,
            value=one.value,
            collection=one.collection.name,
            id=one.id,
            type=one.type,
            confidence=one.confidence,
        )
        for one in found.near
    ]
    return {"within": near, "more_within": list(found.cut)}


def seen_thing(found: SeenThing) -> ExplainedThing:
    """A thing as a reader sees it, and where it does not."""
    return thing(found.thing).model_copy(update={"kept_out": [_absence(one) for one in found.absences]})


def _absence(found: Absence) -> ExplainedAbsence:
    return ExplainedAbsence(
        collection=found.collection.name,
        rule=found.rule.label,  # type: ignore[arg-type] # the labels are the literals
        message=f"{found.collection.name} does not show it: {found.rule.says}.",
        claims=[_absent(one) for one in found.claims],
        more_claims=found.more,
    )


def _absent(found: KeptClaim) -> AbsentClaim:
    rule = found.rule.label
    return AbsentClaim(centre=found.source, id=found.id, rule=rule, code=found.code)  # type: ignore[arg-type] # as above


def then(found: PastThing, collection: Collection) -> ExplainedThing:
    """A thing, and what a collection showed of it."""
    match found.then:
        case Lacking(code, says):
            lacking = ExplainedLack(code=code, message=says)  # type: ignore[arg-type] # the codes are the literals
            return thing(found.thing).model_copy(update={"lacking": lacking})
        case Past():
            return thing(found.thing).model_copy(update={"then": _version(found.then, collection)})


def _version(past: Past, collection: Collection) -> ExplainedVersion:
    said = (past.obj.get("extensions") or {}).get(VIEW_EXTENSION, {})
    return ExplainedVersion(
        collection=collection.name,
        seq=past.seq,
        date_added=past.date_added,
        state=past.state,
        is_current=past.is_current,
        sources=[ExplainedSource(**source) for source in past.sources],
        voices=said.get("voices"),
        confidence=past.obj.get("confidence"),
        object=past.obj or None,
        claims=[_claim(claim) for claim in past.claims],
    )


def thing(known: KnownThing) -> ExplainedThing:
    """A thing."""
    return ExplainedThing(
        key=None if known.key is None else known.key.hex(),
        type=known.type,
        text=known.text,
        views=[_view(view) for view in known.views],
    )


def _view(known: KnownView) -> ExplainedView:
    return ExplainedView(
        collection=known.collection.name,
        id=known.id,
        state=known.state,
        seq=known.seq,
        version=known.version,
        first=known.first,
        last=known.last,
        confidence=known.confidence,
        how=known.how,
        voices=known.voices,
        claims=[_claim(claim) for claim in known.claims],
        feedback=[_feedback(one) for one in known.feedback],
        name=known.name,
        description=known.description,
        references=list(known.references),
        linked=[_link(one) for one in known.links.linked],
        more_linked=known.links.is_cut,
    )


def _link(known: Linked) -> ExplainedLink:
    return ExplainedLink(
        relationship=known.relationship,
        direction="to" if known.is_source else "from",
        id=known.id,
        type=known.type,
        name=known.name,
    )


def _claim(known: KnownClaim) -> ExplainedClaim:
    return ExplainedClaim(
        centre=known.source,
        level=known.level.label,  # type: ignore[arg-type] # the labels are the literals
        id=known.id,
        created=known.created,
        modified=known.modified,
        confidence=known.confidence,
        state=known.state,
    )


def _feedback(known: KnownFeedback) -> ExplainedFeedback:
    return ExplainedFeedback(
        source=known.source,
        level=known.level.label,  # type: ignore[arg-type] # the labels are the literals
        kind="sighting" if known.verdict is None else known.verdict.value,
        count=known.count,
        first_seen=known.first_seen,
        last_seen=known.last_seen,
        modified=known.modified,
        text=known.text,
    )
