"""Authentication and read access of HTTP requests: from credentials to a principal, and to what it may read.

Source: RFC 9110, section 11 (schemes are case-insensitive); RFC 7617 (Basic: the user ends at the first colon).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from hub.doors.rates import Caller, Rates, caller_of
from hub.doors.refusals import RefusalLog
from hub.model.credentials import Credentials, TokenCredentials
from hub.model.errors import NotAllowed, NotAuthenticated, NotFound
from hub.model.policy import Collection
from hub.model.principals import SOURCE_KINDS, Principal, PrincipalKind
from hub.model.tokens import RefusedCredentials
from hub.registry.access import Access
from hub.registry.grants import may_push

_LONGEST_HEADER = 4_096
_CALLER = "ctihub.caller"
PRINCIPAL = "ctihub.principal"
"""The keys of a request's caller and principal in its ASGI scope."""


def address_of(scope: Scope, *, behind_proxy: bool) -> str | None:
    """Returns the address that a request comes from; None if it is not known. Behind a proxy it is the one that the
    nearest proxy has added to ``X-Forwarded-For``: clients can write all before it.
    """
    if behind_proxy:
        said = Headers(scope=scope).getlist("x-forwarded-for")
        return said[-1].rpartition(",")[2].strip() if said else None
    client = scope.get("client")
    return None if client is None else str(client[0])


def credentials_of(request: Request, address: str | None = None) -> Credentials | None:
    """Returns the credentials of a request from this address, or None. Raises NotAuthenticated for malformed ones."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    if rest and len(header) <= _LONGEST_HEADER:
        match scheme.lower():
            case "bearer" | "token":
                return TokenCredentials(rest, address=address)
            case "basic":
                return _basic(rest, address)
            case _:
                pass
    raise wrong_credentials()


def _basic(encoded: str, address: str | None) -> TokenCredentials:
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise wrong_credentials() from None
    name, colon, token = pair.partition(":")
    if not colon:
        raise wrong_credentials()
    return TokenCredentials(token, name, address)


def wrong_credentials() -> NotAuthenticated:
    """Returns the same error for everything that is wrong with credentials, so that it does not help guessing."""
    return NotAuthenticated(
        "auth.wrong",
        "These credentials are not valid.",
        "Send Authorization: Bearer TOKEN, or Basic with the principal's name and its token.",
    )


def _no_credentials() -> NotAuthenticated:
    return NotAuthenticated(
        "auth.missing",
        "This needs credentials.",
        "Send Authorization: Bearer TOKEN, or Basic with the principal's name and its token.",
    )


def ensure_pushes(source: Principal) -> None:
    """Raises NotAllowed if the token that a source uses only reads."""
    if not may_push(source):
        raise NotAllowed("auth.read-only", "This token only reads.", "Use one of the same source that may push.")


def ensure_own_token(principal: Principal) -> None:
    """Raises NotAllowed for a named token: it may not set up what lasts longer, and has not its limits."""
    if principal.token:
        says = "A named token may not do this: what it set up would stay when the token ends."
        raise NotAllowed("auth.own-token-only", says, "Use the principal's own token.")


class Gate:
    """Authenticates requests, counts them, and checks what their principals may read."""

    def __init__(self, access: Access, rates: Rates, *, behind_proxy: bool = False) -> None:
        self._access = access
        self._rates = rates
        self._behind_proxy = behind_proxy
        self._refusals = RefusalLog()

    def credentials(self, request: Request) -> Credentials | None:
        """Returns the credentials of a request with its address, or None. Raises NotAuthenticated."""
        return credentials_of(request, address_of(request.scope, behind_proxy=self._behind_proxy))

    @property
    def access(self) -> Access:
        """The part of the registry that questions use."""
        return self._access

    async def principal(self, request: Request) -> Principal | None:
        """Returns the principal of a request; None without credentials. Each request is counted once.

        Raises NotAuthenticated for wrong credentials, TooMany.
        """
        if PRINCIPAL in request.scope:
            found: Principal | None = request.scope[PRINCIPAL]
            return found
        principal = await self.recognise(self.credentials(request))
        request.scope[_CALLER] = caller = caller_of(request, principal, behind_proxy=self._behind_proxy)
        if caller is not None:
            await self._rates.take(caller)
        request.scope[PRINCIPAL] = principal
        return principal

    async def caller(self, request: Request) -> Caller | None:
        """Returns whose limits a request counts towards, see ``caller_of``. Raises as ``principal``."""
        await self.principal(request)
        found: Caller | None = request.scope[_CALLER]
        return found

    async def recognise(self, credentials: Credentials | None) -> Principal | None:
        """Returns the current principal of credentials; None without any. Raises NotAuthenticated."""
        if credentials is None:
            return None
        found = await self._access.examine(credentials)
        if isinstance(found, RefusedCredentials):
            self._refusals.note(found, credentials.address)
            raise wrong_credentials()
        return found

    async def required(self, request: Request) -> Principal:
        """Returns the principal of a request. Raises NotAuthenticated."""
        principal = await self.principal(request)
        if principal is None:
            raise _no_credentials()
        return principal

    async def source(self, request: Request) -> Principal:
        """Returns the source of a request. Raises NotAuthenticated, or NotAllowed for an operator and for a token that
        only reads.
        """
        principal = await self.required(request)
        if principal.kind not in SOURCE_KINDS:
            raise NotAllowed("auth.source-only", "Only a centre or a member may do this.", "Use its token.")
        ensure_pushes(principal)
        return principal

    async def readable(self, principal: Principal | None) -> list[Collection]:
        """Returns the collections that a principal may read, by name."""
        return sorted(await self._access.readable(principal), key=lambda collection: collection.name)

    async def explainable(self, principal: Principal | None) -> list[Collection]:
        """Returns the collections whose content a principal may have explained, by name."""
        return sorted(await self._access.explainable(principal), key=lambda collection: collection.name)

    async def operator(self, request: Request) -> Principal:
        """Returns the operator of a request. Raises NotAuthenticated, or NotAllowed for anybody else."""
        principal = await self.required(request)
        if principal.kind is not PrincipalKind.OPERATOR:
            raise NotAllowed("auth.operator-only", "Only an operator may do this.", "Use an operator's token.")
        return principal

    async def reader(self, name: str) -> Principal | None:
        """Returns somebody who reads, by name; None stands for whoever has no credentials. Raises NotFound."""
        return await self._access.named(name)

    async def names(self) -> Mapping[int, str]:
        """Returns the names of all principals, by number."""
        return await self._access.names()

    async def still_open(self, credentials: Credentials | None, collection: Collection) -> bool:
        """Returns whether an open connection may continue. Raises TryAgain when the store is not available."""
        try:
            principal = await self.recognise(credentials)
        except NotAuthenticated:
            return False
        return await self._access.may_read(principal, collection)

    async def collection(self, request: Request, name: str) -> Collection:
        """Returns a collection that the principal of the request may read. Raises as ``open_to``."""
        return await self.open_to(await self.principal(request), name)

    async def open_to(self, principal: Principal | None, name: str) -> Collection:
        """Returns a collection by name. The error is the same for a missing collection and for one without access.

        Raises NotAuthenticated if there are no credentials, otherwise NotFound.
        """
        for collection in await self.readable(principal):
            if collection.name == name:
                return collection
        if principal is None:
            raise _no_credentials()
        raise NotFound("collection.unknown", "There is no such collection that you may read.", "See /v1/collections.")
