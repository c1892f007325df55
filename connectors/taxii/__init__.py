"""Publishes the objects of a TAXII 2.1 server, and in later runs the new ones."""

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
"""By how many seconds rounds overlap: servers give several objects the same date, or set it before they commit
(OpenTAXII), so an exact continuation would miss some."""
_REMEMBERED = 100_000


class TaxiiSettings(ConnectorSettings):
    """The server, the collections, and the credentials."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_TAXII_")

    url: str = Field(pattern=r"^https?://")
    """The URL of the server's discovery (``https://…/taxii2/``), of an API root, or of one collection."""
    collections: tuple[str, ...] = ()
    """Titles or ids; empty: all readable ones."""
    user: str | None = None
    """For Basic authentication, with ``password``."""
    password: SecretStr | None = None
    """Preferably in the environment: CTIHUB_TAXII_PASSWORD."""
    token: SecretStr | None = None
    """A token instead of user and password. Preferably in the environment: CTIHUB_TAXII_TOKEN."""
    token_scheme: Literal["Bearer", "Token"] = "Bearer"  # noqa: S105 - a scheme's name
    """The scheme before the token in the Authorization header."""
    ca_file: str | None = None
    """Certificates of the server's certificate authority (PEM)."""
    client_cert: str | None = None
    """A client certificate with its key (PEM)."""
    verify_tls: bool = True
    """false accepts any certificate: only for tests."""
    since: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}T[0-9:.]+Z$")
    """In the first round, only objects that were added after this time (RFC 3339, UTC)."""
    types: tuple[str, ...] = ()
    """Only these STIX types; empty: all."""
    versions: Literal["last", "all"] = "last"
    """The newest version of each object, or all versions."""
    page_objects: int = Field(1_000, ge=1, le=10_000)
    """The number of objects to request per page; the server may send fewer."""
    answer_seconds: float = Field(ANSWER_S, gt=0, le=86_400)
    """The maximum time for one response."""
    allow_empty: bool = False
    """true: a first round without objects is not an error."""

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
    """Reads collections in sequence, with a checkpoint after each page for each collection."""

    name: ClassVar[str] = "taxii"
    summary: ClassVar[str] = "Any TAXII 2.1 server, incrementally"
    Settings: ClassVar[type[ConnectorSettings]] = TaxiiSettings

    def __init__(self, settings: TaxiiSettings) -> None:
        super().__init__(settings)
        self._state: dict[str, dict[str, Any]] = {}
        self._done: tuple[int, int] = (0, 0)

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """Yields the objects of each collection after its position. A failed collection does not stop the others."""
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
            last: bytes | None = None  # it has the checkpoint of its page, which is known after it
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
                f"The TAXII server at {self.settings.url} allows reading {named}.",
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
        """Returns True: ``items`` checks rounds without objects."""
        return True

    def end_checkpoint(self) -> Checkpoint:
        """Returns the positions, also after empty pages."""
        return {"collections": self._state}

    def share_read(self) -> float | None:
        """Returns the part by number of collections, if there are several; a server does not report sizes."""
        done, of = self._done
        return done / of if of > 1 else None


def access(settings: TaxiiSettings, patience_s: float) -> ServerAccess:
    """Returns the settings for the reader."""
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
    """Returns the Authorization header. Source: RFC 6750, section 2.1; RFC 7617, section 2 (UTF-8)."""
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
    """Short hashes of the objects in the overlap, so that they are published once."""

    def __init__(self, kept: Any) -> None:
        self._before = set(kept)
        self._marks: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        """(last date of the page, hash) of the newest objects."""
        self._newest = ""

    def fresh(self, objects: Iterator[bytes], date_last: str | None) -> Iterator[bytes]:
        """Yields a page's objects except those of the previous round."""
        self._newest = date_last or ""
        for found in objects:
            mark = hashlib.blake2b(found, digest_size=8).hexdigest()
            self._marks.append((self._newest, mark))
            if mark not in self._before:
                yield found

    def as_json(self) -> list[str]:
        """Returns the hashes of the pages in the overlap, at most the newest hundred thousand."""
        edge = earlier(self._newest, OVERLAP_S) if self._newest else ""
        while self._marks and self._marks[0][0] < edge:
            self._marks.popleft()
        if not self._marks:  # an empty round: the overlap is that of the previous round
            return sorted(self._before)
        return [mark for _, mark in self._marks]
