"""The parameters of an export: format, kinds of value, limit, and the options of the format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from hub.doors.export.entry import HASHES
from hub.doors.export.format import Format, Options
from hub.model.errors import NotFound, Refused
from hub.model.stix_types import SCO_TYPES

_EXAMPLES = "ipv4-addr, domain-name, url, sha-256 and the like"


@dataclass(frozen=True, slots=True)
class Asked:
    """The checked parameters of an export."""

    format: Format
    kinds: frozenset[str]
    """The values of ``type``; empty if it was not given."""
    limit: int | None
    options: Options

    @property
    def most(self) -> int | None:
        """The maximum number of lines; the best are selected. It is ``limit``, or the limit of the products."""
        return self.format.limits.lines if self.limit is None else self.limit

    @property
    def text(self) -> str:
        """Returns all parameters as one line, different for different parameters."""
        return f"{self.format.name} {','.join(sorted(self.kinds))} {self.limit} {self.options.model_dump_json()}"


def format_of(name: str, formats: Mapping[str, Format]) -> Format:
    """Returns the format of this name. Raises NotFound."""
    if name not in formats:
        raise NotFound("export.format", f"There is no export.{name}.", f"There are {', '.join(formats)}.")
    return formats[name]


def kinds_of(said: Iterable[str], format: Format) -> frozenset[str]:
    """Returns the requested kinds. Raises Refused for an impossible one: an empty list would hide the mistake."""
    kinds = frozenset(word for value in said for part in value.split(",") if (word := part.strip().lower()))
    takes = ", ".join(sorted(format.kinds)) or _EXAMPLES
    for kind in sorted(kinds):
        if kind not in SCO_TYPES and kind not in HASHES and ":" not in kind and not kind.startswith("x-"):
            raise Refused("export.type", f"There is no type {kind[:60]!r}.", f"Use {takes}.")
        if format.kinds and kind not in format.kinds:
            raise Refused("export.type", f"export.{format.name} takes no {kind[:60]}.", f"Use {takes}.")
    if format.one_kind and len(kinds) != 1:
        raise Refused("export.type", f"export.{format.name} takes one type at a time.", f"Name it with type=: {takes}.")
    return kinds


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
    """Returns the options of the format; ignores other parameters. Raises Refused for invalid ones."""
    fields = format.options.model_fields
    try:
        return format.options.model_validate({name: said for name, said in query.items() if name in fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(
            "export.option", f"The parameter {where} is invalid: {first['msg']}.", f"See {format.page}."
        ) from error
