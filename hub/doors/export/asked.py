"""The parameters of an export: format, kinds, choice, and the options of the format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from pydantic import ValidationError

from hub.doors.export.entry import HASHES
from hub.doors.export.format import Format, Options, Unit
from hub.doors.since import Since
from hub.model.errors import NotFound, Refused
from hub.model.stix_types import SCO_TYPES, STIX_TYPES

_NAMES = {
    Unit.VALUE: SCO_TYPES | HASHES,
    Unit.INDICATOR: SCO_TYPES | HASHES,
    Unit.OBJECT: frozenset(STIX_TYPES),
}
_KINDS = "ipv4-addr, domain-name, url, sha-256 and the like"
_EXAMPLES = {Unit.VALUE: _KINDS, Unit.INDICATOR: _KINDS, Unit.OBJECT: "indicator, malware, relationship and the like"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The checked parameters of an export."""

    format: Format
    kinds: frozenset[str]
    """The values of ``type``; empty if it was not given."""
    limit: int | None = None
    options: Options = field(default_factory=Options)
    min_confidence: int = 0
    since: Since = field(default_factory=Since)
    collapse: bool = False
    """Whether to leave out what other entries cover."""

    @property
    def most(self) -> int | None:
        """The maximum number of lines; the best are selected. It is ``limit``, or the limit of the products."""
        return self.format.limits.lines if self.limit is None else self.limit

    @property
    def text(self) -> str:
        """Returns all parameters as one line, different for different parameters."""
        kinds = ",".join(sorted(self.kinds))
        choice = f"{self.limit} {self.min_confidence} {self.since} {self.collapse}"
        return f"{self.format.name} {kinds} {choice} {self.options.model_dump_json()}"


def format_of(name: str, formats: Mapping[str, Format]) -> Format:
    """Returns the format of this name. Raises NotFound."""
    if name not in formats:
        raise NotFound("export.format", f"There is no export.{name}.", f"There are {', '.join(formats)}.")
    return formats[name]


def kinds_of(said: Iterable[str], format: Format) -> frozenset[str]:
    """Returns the requested kinds. Raises Refused for an impossible one: an empty list would hide the mistake."""
    words = [part.strip().lower() for value in said for part in value.split(",")]
    kinds = frozenset(filter(None, words))
    takes = ", ".join(sorted(format.kinds)) or _EXAMPLES[format.unit]
    if words and not kinds:  # a variable of a script without a value would ask for everything
        raise Refused("export.type", "type is empty.", f"Leave it out for all, or use {takes}.")
    if kinds and format.pattern_type != "stix":
        raise Refused("export.type", f"export.{format.name} has no types to choose from.", "Leave type out.")
    for kind in sorted(kinds):
        if not _is_possible(kind, format.unit):
            near = get_close_matches(kind, sorted(format.kinds or _NAMES[format.unit]), n=1)
            raise Refused(
                "export.type",
                f"There is no type {kind[:60]!r}.",
                f"Did you mean {near[0]}?" if near else f"Use {takes}.",
            )
        if format.kinds and kind not in format.kinds:
            raise Refused("export.type", f"export.{format.name} takes no {kind[:60]}.", f"Use {takes}.")
    if format.one_kind and len(kinds) != 1:
        raise Refused("export.type", f"export.{format.name} takes one type at a time.", f"Name it with type=: {takes}.")
    return kinds


def _is_possible(kind: str, unit: Unit) -> bool:
    return kind in _NAMES[unit] or kind.startswith("x-") or (":" in kind and unit is not Unit.OBJECT)


def limit_of(said: int | None, format: Format, most: int) -> int | None:
    """Returns the requested limit. Raises Refused above the limit of the hub (``most``) or of the format's products."""
    if said is None:
        return None
    if said > most:
        raise Refused("export.limit", f"limit is {most} at most.", "Leave it out for all.")
    lines = format.limits.lines
    if lines is not None and said > lines:
        raise Refused("export.limit", f"What reads export.{format.name} takes {lines} lines.", "Leave limit out.")
    return said


def options_of(query: Mapping[str, str], format: Format) -> Options:
    """Returns the options of the format among the parameters of a request. Raises Refused for invalid ones."""
    try:
        return format.options.model_validate(
            {name: query[name] for name in format.options.model_fields if name in query}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(
            "export.option", f"The parameter {where} is invalid: {first['msg']}.", f"See {format.page}."
        ) from error


def collapse_of(said: bool, format: Format) -> bool:
    """Returns whether to collapse. Raises Refused in a format without values."""
    if said and format.unit is not Unit.VALUE:
        raise Refused("export.option", f"export.{format.name} has objects, which are not collapsed.", "Leave it out.")
    return said
