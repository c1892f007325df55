"""The property extension ``ctihub`` on objects that the hub merged: whose claims they show, and what they assert."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api import Body, Count, LevelLabel, Moment

EXTENSION_ID = "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3"
"""Its extension-definition."""


class ViewSource(Body):
    """One centre whose claims the view shows."""

    name: str
    """The centre's name, its alias, or ``anonymous``."""
    first: Moment
    """Earliest ``created`` of its claims; a day where the centre hides the hour."""
    last: Moment
    """Latest ``modified`` of its claims."""


class AssertedObservable(Body):
    """One value that the pattern asserts positively and alone."""

    type: str
    """Object type, such as ``ipv4-addr`` or ``file``."""
    path: str
    """Property, such as ``value`` or ``hashes.'SHA-256'``."""
    value: str
    """The canonical value."""


class CtihubExtension(Body):
    """What the hub knows of a merged object beyond what STIX has a property for."""

    extension_type: Literal["property-extension"]
    sources: list[ViewSource] = Field(min_length=1)
    voices: int = Field(ge=1)
    """How many of the sources are independent."""
    floor: LevelLabel
    """The least level at which the thing is known: what a reader may say of its mere existence."""
    revoked_by: Count | None = None
    """How many visible claims, marked no more strictly, were revoked."""
    sightings: Count | None = None
    """How often it was seen, in steps (1, 2, 5, 10, 20, 50 …)."""
    false_positives: Count | None = None
    """How often it was reported to be a false positive, in the same steps."""
    observables: list[AssertedObservable] | None = None
    """For patterns that assert values of one observable."""
