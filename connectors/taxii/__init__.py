"""Publishes what a TAXII 2.1 server has, and then what is new there."""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import SourceFailed, WrongSettings
from connectors.taxii.reader import Position, Readable, TaxiiReader, earlier
from connectors.taxii.wire import ANSWER_S, ServerAccess

OVERLAP_S = 1.0
"""How far a round reaches back into the one before: servers give one date to several objects, or set it before they
commit (OpenTAXII), and then an exact continuation would miss some."""
_REMEMBERED = 100_000


class TaxiiSettings(ConnectorSettings):
    """Which server, which collections, as whom."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_TAXII_")

    url: str = Field(pattern=r"^https?://")
    """The server's discovery (``https://…/taxii2/``), an API root, or one collection."""
    collections: tuple[str, ...] = ()
    """Titles or ids; empty: all that may be read."""
    user: str | None = None
    """For Basic authentication, with ``password``."""
    password: SecretStr | None = None
    """Better in the environment: CTIHUB_TAXII_PASSWORD."""
    token: SecretStr | None = None
    """A token instead of user and password. Better in the environment: CTIHUB_TAXII_TOKEN."""
    token_scheme: Literal["Bearer", "Token"] = "Bearer"  # noqa: S105 - a scheme's name
    """What stands before the token in the Authorization header."""
    ca_file: str | None = None
    """The server's own authority (PEM)."""
    client_cert: str | None = None
    """A client certificate with its key (PEM)."""
    verify_tls: bool = True
    """false accepts any certificate: for a test, never for a feed."""
    since: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]+Z$")
    """Only what was added after this time (RFC 3339, UTC), in the first round."""
    types: tuple[str, ...] = ()
    """Only these STIX types; empty: all."""
    versions: Literal["last", "all"] = "last"
    """Of each object the newest version, or every one."""
    page_objects: int = Field(1_000, ge=1, le=10_000)
    """How many objects to ask for at once; the server may give fewer."""
    answer_seconds: float = Field(ANSWER_S, gt=0, le=86_400)
    """How long one answer may take in all."""
    allow_empty: bool = False
    """true: a first round that brings no object at all is no failure."""

    @field_validator("url")
    @classmethod
    def _no_password_in_it(cls, url: str) -> str:
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"it is not an address: {error}") from error
        if parts.userinfo:
            raise ValueError("it holds a user; set user, and the password as CTIHUB_TAXII_PASSWORD in the environment")
        if not parts.host:
            raise ValueError("it names no host")
        return url

    @model_validator(mode="after")
    def _one_way_in(self) -> TaxiiSettings:
        if self.token and (self.user or self.password):
            raise ValueError("give a token, or a user and a password, not both")
        if self.user and not self.password:
            raise ValueError("user needs a password: set CTIHUB_TAXII_PASSWORD in the environment")
        if self.password and not self.user:
            raise ValueError("password needs a user: set user=NAME")
        return self


class TaxiiConnector(Connector[TaxiiSettings]):
    """Reads collections one after the other; a checkpoint after each page, kept per collection."""

    name: ClassVar[str] = "taxii"
    summary: ClassVar[str] = "Any TAXII 2.1 server, incrementally"
    Settings: ClassVar[type[ConnectorSettings]] = TaxiiSettings

    def __init__(self, settings: TaxiiSettings) -> None:
        super().__init__(settings)
        self._state: dict[str, dict[str, Any]] = {}
        self._done: tuple[int, int] = (0, 0)

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """What each collection has after its own position. One that fails does not keep the others from the hub."""
        self._state = {url: dict(kept) for url, kept in checkpoint.get("collections", {}).items()}
        failures: list[SourceFailed] = []
        seen = False
        reader = TaxiiReader(access(self.settings, self.patience_s), self.notify)
        try:
            wanted = self._wanted(reader)
            for count, collection in enumerate(wanted, start=1):
                try:
                    for item in self._collection_items(reader, collection):
                        seen = True
                        yield item
                except SourceFailed as failure:
                    failures.append(failure)
                self._done = (count, len(wanted))
        finally:
            reader.close()
        if failures:
            raise failures[0]
        if not (seen or checkpoint or self.settings.since or self.settings.allow_empty):
            raise self._nothing(wanted)

    def _collection_items(self, reader: TaxiiReader, collection: Readable) -> Iterator[Item]:
        kept = self._state.get(collection.url, {})
        recent = _Recent(kept.get("recent", ()))
        position = Position.of(kept) if kept else Position(added_after=self.settings.since)
        for page in reader.pages(collection.url, position, overlap_s=OVERLAP_S, **self._filters()):
            last: bytes | None = None  # it carries the checkpoint of its page, which is known behind it
            for found in recent.fresh(page.objects, page.date_last):
                if last is not None:
                    yield Item(last)
                last = found
            self._state = {**self._state, collection.url: {**page.position.as_json(), "recent": recent.as_json()}}
            if last is not None:
                yield Item(last, {"collections": self._state})

    def _filters(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "limit": settings.page_objects,
            "type": list(settings.types),
            "version": "all" if settings.versions == "all" else None,
        }

    def _wanted(self, reader: TaxiiReader) -> list[Readable]:
        readable, asked = reader.collections(), self.settings.collections
        if not readable:
            named = f"none of its collections: {', '.join(reader.hidden)}" if reader.hidden else "no collection"
            raise SourceFailed(
                "taxii.nothing-readable",
                f"The TAXII server at {self.settings.url} lets us read {named}.",
                "Check who you are there, and ask the server's operator for the right to read.",
            )
        for name in asked:
            if not any(name in (collection.id, collection.title) for collection in readable):
                there = ", ".join(collection.title for collection in readable) or "none"
                raise WrongSettings(
                    "taxii.no-collection", f"The server has no collection {name!r} for us.", f"It has: {there}."
                )
        return [one for one in readable if not asked or one.id in asked or one.title in asked]

    def _nothing(self, wanted: list[Readable]) -> SourceFailed:
        titles = ", ".join(one.title for one in wanted)
        types = f" of the types {', '.join(self.settings.types)}" if self.settings.types else ""
        return SourceFailed(
            "taxii.empty",
            f"The TAXII server at {self.settings.url} has no object{types} for us in {titles}.",
            "Check what your account may see there, and types; if there may be none yet, set allow_empty=true.",
        )

    def may_be_empty(self) -> bool:
        """A round without an object was judged in ``items``."""
        return True

    def end_checkpoint(self) -> Checkpoint:
        """Also where the last pages were empty."""
        return {"collections": self._state}

    def share_read(self) -> float | None:
        """By collections, where there are several; a server does not say how much there is."""
        done, of = self._done
        return done / of if of > 1 else None


def access(settings: TaxiiSettings, patience_s: float) -> ServerAccess:
    """The settings as the reader takes them."""
    return ServerAccess(
        settings.url,
        _authorization(settings),
        settings.ca_file,
        settings.client_cert,
        settings.verify_tls,
        patience_s,
        settings.answer_seconds,
    )


def _authorization(settings: TaxiiSettings) -> str | None:
    """The header's value. Source: RFC 6750, section 2.1; RFC 7617, section 2 (UTF-8)."""
    if settings.token:
        value = f"{settings.token_scheme} {settings.token.get_secret_value()}"
    elif settings.user and settings.password:
        pair = f"{settings.user}:{settings.password.get_secret_value()}"
        value = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        return None
    if not value.isascii() or not value.isprintable():
        raise WrongSettings("token.invalid", "The token holds characters that no token has.", "Copy it once more.")
    return value


class _Recent:
    """Which objects came within the overlap, by a short hash of their bytes, so that they go out once."""

    def __init__(self, kept: Any) -> None:
        self._before = set(kept)
        self._marks: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        """(last date of the page, mark) of the newest objects."""
        self._newest = ""

    def fresh(self, objects: Iterator[bytes], date_last: str | None) -> Iterator[bytes]:
        """A page's objects without those of the round before."""
        self._newest = date_last or ""
        for found in objects:
            mark = hashlib.blake2b(found, digest_size=8).hexdigest()
            self._marks.append((self._newest, mark))
            if mark not in self._before:
                yield found

    def as_json(self) -> list[str]:
        """The marks of the pages that reach into the overlap, the newest hundred thousand at most."""
        edge = earlier(self._newest, OVERLAP_S) if self._newest else ""
        while self._marks and self._marks[0][0] < edge:
            self._marks.popleft()
        if not self._marks:  # an empty round: the overlap is still that of the round before
            return sorted(self._before)
        return [mark for _, mark in self._marks]
