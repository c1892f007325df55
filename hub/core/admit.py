"""What a source may send: only in its own name, only up to its ceiling, and with no version dated in the future.

Source: docs/semantics.md, sections 2 and 3.
"""

from __future__ import annotations

from hub.model.markings import Marks, marks_of
from hub.model.policy import Policy, Source
from hub.model.problems import Code, Problem, cut
from hub.model.times import parse_us, stix_time
from hub.model.words import Level, Limits, StixId, StixObject


def admit(obj: StixObject, source: Source, policy: Policy, at_us: int, limits: Limits) -> list[Problem]:
    """Problems of a valid object that depend on its source: refusals and warnings. ``at_us``: when the event log
    received it, in microseconds since 1970.
    """
    if source.may_claim is not None and obj["type"] not in source.may_claim:
        says = f"You may send {', '.join(sorted(source.may_claim))} to this hub, not {cut(obj['type'])}."
        return [Problem(Code.TYPE_NOT_YOURS, "/type", says)]
    found = _authors(obj, source, policy)
    if obj["type"] != "marking-definition":  # a marking-definition has no level of its own
        found += _ceiling(marks_of(obj), source)
    modified = obj.get("modified")
    if modified is not None and parse_us(modified) > at_us + limits.future_s * 1_000_000:
        says = (
            f"modified is {cut(modified)}, more than {limits.future_s} seconds after {stix_time(at_us)}, "
            "when it was received; correct the clock of the source."
        )
        found.append(Problem(Code.VERSION_FUTURE, "/modified", says))
    return found


def _authors(obj: StixObject, source: Source, policy: Policy) -> list[Problem]:
    found = []
    author = obj.get("created_by_ref")
    if author is not None and _is_anothers(author, source, policy):
        says = f"created_by_ref {cut(author)} is {_whose(author, policy)}; you may not send objects in its name."
        found.append(Problem(Code.AUTHOR_IMPERSONATION, "/created_by_ref", says))
    if obj["type"] == "identity":
        if _is_anothers(obj["id"], source, policy):
            says = f"The identity {cut(obj['id'])} is {_whose(obj['id'], policy)}; only the registry describes it."
            found.append(Problem(Code.AUTHOR_IMPERSONATION, "/id", says))
        elif obj["id"] == source.identity:
            says = "Members see your identity as the hub's registry describes it, not this object."
            found.append(Problem(Code.IDENTITY_REGISTRY_SHOWN, "", says))
    return found


def _whose(identity: str, policy: Policy) -> str:
    return "the hub itself" if identity == policy.hub_identity else "another source of this hub"


def _is_anothers(identity: str, source: Source, policy: Policy) -> bool:
    if identity == policy.hub_identity or identity in policy.given_up_aliases:
        return True
    other = policy.registered.get(StixId(identity)) or policy.aliases.get(StixId(identity))
    return other is not None and other.no != source.no


def _ceiling(marks: Marks, source: Source) -> list[Problem]:
    # the default level applies to objects that state no level, not to a label that cannot be read
    level = marks.level if marks.level is not None or marks.unreadable else source.default_level
    if level is not None and level > source.ceiling:
        says = f"{_tlp(level)} is above your ceiling at this hub, {_tlp(source.ceiling)}."
        return [Problem(Code.MARKING_ABOVE_CEILING, "/object_marking_refs", says)]
    part = max((one.level for one in marks.granular if one.level is not None), default=None)
    if part is None or part <= source.ceiling:
        return []
    says = f"{_tlp(part)} is above your ceiling at this hub, {_tlp(source.ceiling)}: what it marks is shown to nobody."
    return [Problem(Code.MARKING_PART_HIDDEN, "/granular_markings", says)]


def _tlp(level: Level) -> str:
    return f"TLP:{level.label.upper()}"
