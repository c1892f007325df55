"""What a reader asks of a collection: a format, kinds of value, how many, and the format's own options."""

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
    """What somebody asked for, as the format takes it."""

    format: Format
    kinds: frozenset[str]
    """As in ``type``; empty where nothing was said."""
    limit: int | None
    options: Options

    @property
    def most(self) -> int | None:
        """The number of lines, of which the best are chosen: what was asked for, else what the products take."""
        return self.format.limits.lines if self.limit is None else self.limit

    @property
    def text(self) -> str:
        """All of it in one line; two that differ have different ones."""
        return f"{self.format.name} {','.join(sorted(self.kinds))} {self.limit} {self.options.model_dump_json()}"


def format_of(name: str, formats: Mapping[str, Format]) -> Format:
    """The format of this name. Raises NotFound."""
    if name not in formats:
        raise NotFound("export.format", f"There is no export.{name}.", f"There are {', '.join(formats)}.")
    return formats[name]


def kinds_of(said: Iterable[str], format: Format) -> frozenset[str]:
    """The kinds asked for. One that cannot be there is refused: an empty list would look like a quiet day."""
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
    """The limit asked for, which neither the hub (``most``) nor the format's products may be too small for."""
    if said is None:
        return None
    if said > most:
        raise Refused("export.limit", f"limit is {most} at most.", "Leave it out for all.")
    lines = format.limits.lines
    if lines is not None and said > lines:
        raise Refused("export.limit", f"What reads export.{format.name} takes {lines} lines.", "Leave limit out.")
    return said


def options_of(query: Mapping[str, str], format: Format) -> Options:
    """The format's own options. Parameters that are none of its own are not looked at."""
    fields = format.options.model_fields
    try:
        return format.options.model_validate({name: said for name, said in query.items() if name in fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(
            "export.option", f"The parameter {where} is invalid: {first['msg']}.", f"See {format.page}."
        ) from error
