"""The bodies of reports about things: sightings and verdicts (``POST /v1/sightings``, ``POST /v1/feedback``)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, RootModel, model_validator

from schemas.api import Body, LevelLabel


class NamedThing(Body):
    """A thing named by exactly one of ``value``, ``id`` and ``pattern``."""

    value: Annotated[str, Field(min_length=1, max_length=4_096)] | None = None
    """In any spelling, defanged too."""
    id: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """A STIX id that a collection shows."""
    pattern: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    type: str | None = None
    """The STIX type of a value that may be of several, such as ``domain-name``."""
    tlp: LevelLabel | None = None
    """The level of the report; by default that of the source."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if sum(one is not None for one in (self.value, self.id, self.pattern)) != 1:
            raise ValueError("exactly one of value, id and pattern is needed")
        return self


class SightingBody(NamedThing):
    """One sighting of ``POST /v1/sightings``."""

    count: Annotated[int, Field(ge=1, le=999_999_999)] = 1
    first_seen: Annotated[str, Field(max_length=40)] | None = None
    """RFC 3339."""
    last_seen: Annotated[str, Field(max_length=40)] | None = None
    note: Annotated[str, Field(max_length=10_000)] | None = None


class VerdictBody(NamedThing):
    """One verdict of ``POST /v1/feedback``; it replaces an earlier one of the same source on the same thing."""

    verdict: Literal["false-positive", "confirmed", "outdated"]
    reason: Annotated[str, Field(max_length=10_000)] | None = None


_MOST_REPORTS = 1_000


class SightingReports(
    RootModel[SightingBody | Annotated[list[SightingBody], Field(min_length=1, max_length=_MOST_REPORTS)]]
):
    """The request of ``POST /v1/sightings``: one sighting, or up to 1,000."""


class VerdictReports(
    RootModel[VerdictBody | Annotated[list[VerdictBody], Field(min_length=1, max_length=_MOST_REPORTS)]]
):
    """The request of ``POST /v1/feedback``: one verdict, or up to 1,000."""
