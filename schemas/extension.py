"""The property extension ``ctihub`` of merged objects: the sources of their claims, and what they assert."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api import Body, Count, LevelLabel, Moment

EXTENSION_ID = "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3"
"""The id of its extension-definition."""


class ViewSource(Body):
    """One centre whose claims the view shows."""

    name: str
    """The centre's name, its alias, or ``anonymous``."""
    first: Moment
    """Earliest ``created`` of its claims; a day if the centre is anonymous."""
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
    wide: Literal[True] | None = None
    """It is a network wider than any of the view's sources is trusted with: lists for blocking leave it out."""


class CtihubExtension(Body):
    """The data of a merged object for which STIX has no property."""

    extension_type: Literal["property-extension"]
    sources: list[ViewSource] = Field(min_length=1)
    voices: int = Field(ge=1)
    """How many of the sources are independent."""
    floor: LevelLabel
    """The least strict level of its claims: the level of the fact that the thing exists."""
    revoked_by: Count | None = None
    """How many visible claims, marked no more strictly, were revoked."""
    sightings: Count | None = None
    """The number of sightings, rounded to steps (1, 2, 5, 10, 20, 50 …)."""
    false_positives: Count | None = None
    """The number of reports as a false positive, in the same steps."""
    observables: list[AssertedObservable] | None = None
    """The asserted values of the pattern, if it asserts any."""
