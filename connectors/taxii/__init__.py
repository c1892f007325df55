"""Publishes what a TAXII 2.1 server has, and then what is new there."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import orjson
import requests.auth
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import WrongSettings
from connectors.taxii.reader import Access, Page, Position, Readable, TaxiiReader, earlier

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

    @model_validator(mode="after")
    def _one_way_in(self) -> TaxiiSettings:
        if self.token and (self.user or self.password):
            raise ValueError("give a token, or a user and a password, not both")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password go together")
        return self


class BearerAuth(requests.auth.AuthBase):
    """``Authorization: <scheme> <token>``."""

    def __init__(self, token: str, scheme: str = "Bearer") -> None:
        self._value = f"{scheme} {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = self._value
        return request


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
        """What each collection has after its own position."""
        self._state = {url: dict(kept) for url, kept in checkpoint.get("collections", {}).items()}
        reader = TaxiiReader(access(self.settings), self.notify)
        try:
            wanted = self._wanted(reader.collections())
            for count, collection in enumerate(wanted, start=1):
                yield from self._collection_items(reader, collection)
                self._done = (count, len(wanted))
        finally:
            reader.close()

    def _collection_items(self, reader: TaxiiReader, collection: Readable) -> Iterator[Item]:
        kept = self._state.get(collection.url, {})
        recent = _Recent(kept.get("recent", ()))
        position = Position.of(kept) if kept else Position(added_after=self.settings.since)
        for page in reader.pages(collection.url, position, overlap_s=OVERLAP_S, **self._filters()):
            fresh = recent.drop_repeats(page)
            self._state = {**self._state, collection.url: {**page.position.as_json(), "recent": recent.as_json()}}
            mark = {"collections": self._state}  # a new one for each page: what was given out never changes
            for count, found in enumerate(fresh, start=1):
                yield Item(found, mark if count == len(fresh) else None)

    def _filters(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "limit": settings.page_objects,
            "type": list(settings.types),
            "version": "all" if settings.versions == "all" else None,
        }

    def _wanted(self, readable: list[Readable]) -> list[Readable]:
        asked = self.settings.collections
        for name in asked:
            if not any(name in (collection.id, collection.title) for collection in readable):
                there = ", ".join(collection.title for collection in readable) or "none"
                raise WrongSettings(
                    "taxii.no-collection", f"The server has no collection {name!r} for us.", f"It has: {there}."
                )
        return [one for one in readable if not asked or one.id in asked or one.title in asked]

    def end_checkpoint(self) -> Checkpoint:
        """Also where the last pages were empty."""
        return {"collections": self._state}

    def share_read(self) -> float | None:
        """By collections, where there are several; a server does not say how much there is."""
        done, of = self._done
        return done / of if of > 1 else None


def access(settings: TaxiiSettings) -> Access:
    """The settings as the reader takes them."""
    auth: requests.auth.AuthBase | None = None
    if settings.token:
        auth = BearerAuth(settings.token.get_secret_value(), settings.token_scheme)
    elif settings.user and settings.password:
        auth = requests.auth.HTTPBasicAuth(settings.user, settings.password.get_secret_value())
    return Access(settings.url, auth, settings.ca_file, settings.client_cert, settings.verify_tls)


class _Recent:
    """Which objects came within the overlap, by a short hash of their content, so that they go out once."""

    def __init__(self, kept: Any) -> None:
        self._before = set(kept)
        self._pages: deque[tuple[str, list[str]]] = deque()

    def drop_repeats(self, page: Page) -> list[dict[str, Any]]:
        """The page's objects without those of the round before."""
        marks = [_mark(found) for found in page.objects]
        self._pages.append((page.date_last or "", marks))
        return [found for found, mark in zip(page.objects, marks, strict=True) if mark not in self._before]

    def as_json(self) -> list[str]:
        """The marks of the pages that reach into the overlap, the newest hundred thousand at most."""
        newest = self._pages[-1][0]
        edge = earlier(newest, OVERLAP_S) if newest else ""
        while len(self._pages) > 1 and self._pages[0][0] < edge:
            self._pages.popleft()
        marks = [mark for _, page in self._pages for mark in page]
        if not marks:  # an empty round: the overlap is still that of the round before
            return sorted(self._before)
        return marks[-_REMEMBERED:]


def _mark(found: dict[str, Any]) -> str:
    try:
        body = orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        body = repr(found).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(body, digest_size=8).hexdigest()
