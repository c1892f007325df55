"""The objects that the hub itself defines: its identity, the sources', TLP and group markings, its extensions.

They come from the policy, never from a claim. A collection shows one as long as an object there uses it.
"""

from __future__ import annotations

from functools import lru_cache

from hub.model.claims import ClaimHead
from hub.model.extensions import KEPT_EXTENSION, VIEW_EXTENSION
from hub.model.markings import TLP_IDS, tlp_definition
from hub.model.policy import Policy, Source
from hub.model.times import stix_time
from hub.model.words import Naming, StixId, StixObject

_HUBS = (StixId(VIEW_EXTENSION), StixId(KEPT_EXTENSION))
KNOWN_TYPES = frozenset({"extension-definition", "identity", "marking-definition"})
"""The types of the objects that the hub defines."""
_EXTENSION_CREATED = "2026-11-24T00:00:00.000Z"


def extension_definitions(hub_identity: StixId) -> dict[StixId, StixObject]:
    """The property extensions that the hub defines, by id."""
    said = {
        StixId(VIEW_EXTENSION): (
            "ctihub view",
            "Whose claims a merged object shows, how many independent voices, and what they assert.",
            "schemas/ctihub-extension.json",
        ),
        StixId(KEPT_EXTENSION): (
            "Properties kept by ctihub",
            "Properties that STIX 2.1 dropped or deprecates, kept as they came.",
            "Each property has the name and type that it came with; one of an extension is prefixed by it.",
        ),
    }
    return {
        extension: {
            "type": "extension-definition",
            "spec_version": "2.1",
            "id": extension,
            "created_by_ref": hub_identity,
            "created": _EXTENSION_CREATED,
            "modified": _EXTENSION_CREATED,
            "name": name,
            "description": description,
            "schema": schema,
            "version": "1.0.0",
            "extension_types": ["property-extension"],
        }
        for extension, (name, description, schema) in said.items()
    }


def uses_of_extensions(obj: StixObject) -> tuple[StixId, ...]:
    """The hub's own extensions that an object uses; their definitions are shown with it."""
    extensions = obj.get("extensions")
    return tuple(one for one in _HUBS if one in extensions) if extensions else ()


def shown_author(source: Source, policy: Policy) -> StixId:
    """The identity that is shown as the author of a source's own claims."""
    match source.naming:
        case Naming.NAMED:
            return source.identity
        case Naming.ALIAS:
            return policy.alias_identity(source)
        case Naming.ANONYMOUS:
            return policy.hub_identity


def _identity(identity: StixId, name: str, created_us: int, **more: object) -> StixObject:
    moment = stix_time(created_us)
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": identity,
        "created": moment,
        "modified": moment,
        "name": name,
        "identity_class": "organization",
        **more,
    }


@lru_cache(maxsize=4)
def known_objects(policy: Policy) -> dict[StixId, StixObject]:
    """All objects that the hub defines, by id."""
    found = {marking: tlp_definition(level) for level, marking in TLP_IDS.items()}
    found |= extension_definitions(policy.hub_identity)
    found[policy.hub_identity] = _identity(policy.hub_identity, "ctihub", policy.hub_created_us)
    for group in policy.groups.values():
        found[group.marking] = {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": group.marking,
            "created_by_ref": policy.hub_identity,
            "created": stix_time(group.created_us),
            "definition_type": "statement",
            "name": f"group {group.name}",
            "definition": {"statement": f"For the group {group.name} of this hub only"},
        }
    for source in policy.sources.values():
        if source.naming is Naming.NAMED:
            found[source.identity] = _identity(source.identity, source.name, source.created_us)
        elif source.naming is Naming.ALIAS:
            alias = policy.alias_identity(source)
            found[alias] = _identity(alias, source.shown_name, policy.hub_created_us)
    return found


@lru_cache(maxsize=4)
def known_identities(policy: Policy) -> frozenset[StixId]:
    """The identities that the hub defines."""
    return frozenset(name for name in known_objects(policy) if name.startswith("identity--"))


@lru_cache(maxsize=4)
def changeable_objects(policy: Policy) -> frozenset[StixId]:
    """The objects that the hub defines and that may change while they are in use: all but the members' identities, of
    which there may be thousands, and which say the same as long as they are shown.
    """
    return frozenset(known_objects(policy).keys() - {member.identity for member in policy.members.values()})


@lru_cache(maxsize=4)
def hidden_identities(policy: Policy) -> frozenset[StixId]:
    """Identities that no reference may show: those of sources that are not shown by name."""
    return frozenset(c.identity for c in policy.sources.values() if c.naming is not Naming.NAMED)


def goes_along(claim: ClaimHead, policy: Policy) -> bool:
    """Whether its object is shown only while a shown object uses it, independent of its own markings."""
    if claim.type == "marking-definition":
        return True
    return claim.type in KNOWN_TYPES and (claim.id in known_objects(policy) or claim.id in hidden_identities(policy))
