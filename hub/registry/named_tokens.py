"""Named tokens of a principal, such as one for each device: each with its scope, its networks and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model.errors import NotFound, Refused, WrongUsage
from hub.model.policy_changes import PrincipalChanged
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.tokens import StoredToken, TokenDigest, TokenRights, TokenScope, TokenUse, full_name
from hub.registry import names
from hub.registry.context import Added, RegistryContext
from hub.registry.entitlements import is_user
from hub.registry.finding import find_collection, find_principal, listing_of
from hub.registry.principals import rotate_token
from hub.registry.tokens import kept_of, new_token

MOST_OF_PRINCIPAL = 1_000
"""Named tokens of one principal: every process has all of them in memory."""
_NEVER = TokenUse()


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token for listings."""

    token: StoredToken
    kind: PrincipalKind
    state: str
    """``valid``, ``ended`` or ``suspended``."""
    on_kafka: bool
    """Whether it is a user on Kafka, if the hub has Kafka."""
    uses: tuple[tuple[TokenDigest, TokenUse], ...] = ()
    """Its secrets that are valid or were replaced last, the newest first, each with its last use."""

    @property
    def last_used_us(self) -> int | None:
        """When the newest use was, of any of its secrets."""
        return max((use.used_us for _, use in self.uses if use.used_us is not None), default=None)


class NamedTokens:
    """Operations on named tokens, and the list of all tokens."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(
        self,
        principal: str,
        name: str,
        *,
        rights: TokenRights = TokenRights.BOTH,
        collections: Sequence[str] = (),
        networks: Sequence[str] = (),
        until: str | None = None,
    ) -> Added[TokenEntry]:
        """Give a principal a named token. Without collections it reads all that its principal reads, without networks
        it is valid everywhere, without ``until`` it does not end. Raises WrongUsage, Refused, NotFound, TryAgain.
        """
        names.name(name, what="name of a token")
        within = tuple(dict.fromkeys(map(names.network, networks)))
        secret = new_token()
        async with self._context.change() as change:
            owner = find_principal(change.before, principal)
            _ensure_possible(change.before, owner, name, rights)
            listed = frozenset(find_collection(change.before, each).name for each in collections) or None
            if listed and rights is TokenRights.PUSH:
                raise WrongUsage(
                    "token.scope", "A token that only pushes reads no collection.", "Leave out one of both."
                )
            token = StoredToken(
                no=0,
                principal=owner.name,
                name=name,
                scope=TokenScope(rights, listed),
                networks=within,
                ends_us=None if until is None else names.end(until, change.now_us),
                created_us=change.now_us,
                digests=(kept_of(secret, change.now_us),),
            )
            await change.directory.tokens.add(owner.no, token)
            await change.record(PrincipalChanged(owner.name, owner.kind, "token add", _said(token)))
            change.new_token = (token.full_name, secret)
        return Added(_entry(owner, token, {}, change.now_us), secret, change.complaint)

    async def rotate(self, principal: str, name: str, *, overlap_us: int = 0) -> Added[TokenEntry]:
        """Give a named token a new secret. The old one is valid for ``overlap_us`` microseconds, or without these
        invalid within a second. Raises Refused for a token that has ended, NotFound, TryAgain.
        """
        secret = new_token()
        async with self._context.change() as change:
            owner = find_principal(change.before, principal)
            token = _find(change.before, owner, name)
            if token.has_ended(change.now_us):
                out = f"ctihub token remove {principal} {name}, then ctihub token add."
                raise Refused("token.ended", f"The token {token.full_name} has ended.", out)
            uses = await change.directory.token_uses()
            token = await rotate_token(change, owner, token, secret, overlap_us)
        return Added(_entry(owner, token, uses, change.now_us), secret, change.complaint)

    async def remove(self, principal: str, name: str) -> None:
        """Remove a named token; it is invalid within a second. Raises NotFound, TryAgain."""
        async with self._context.change() as change:
            owner = find_principal(change.before, principal)
            token = _find(change.before, owner, name)
            await change.directory.tokens.remove(token.no)
            await change.record(PrincipalChanged(owner.name, owner.kind, "token remove", {"token": name}))

    async def all(self, principal: str | None = None) -> list[TokenEntry]:
        """Returns all tokens, of one principal or of all, by full name; the own one first. Raises NotFound."""
        async with self._context.store.reading() as directory:
            snapshot, uses = await directory.snapshot(), await directory.token_uses()
        if principal is not None:
            find_principal(snapshot, principal)
        now_us = self._context.now_us()
        return [
            _entry(snapshot.principals[token.principal], token, uses, now_us)
            for token in snapshot.tokens.values()
            if principal in (None, token.principal)
        ]


def _ensure_possible(snapshot: RegistrySnapshot, owner: Principal, name: str, rights: TokenRights) -> None:
    """Raises Refused."""
    if full_name(owner.name, name) in snapshot.tokens:
        out = f"Take another name, or ctihub token rotate {owner.name} {name}."
        raise Refused("token.taken", f"{owner.name} has a token {name!r} already.", out)
    if rights is TokenRights.PUSH and owner.kind is PrincipalKind.OPERATOR:
        raise Refused("token.scope", "An operator pushes nothing.", "Give a centre or a member a token that pushes.")
    if sum(token.principal == owner.name for token in snapshot.tokens.values()) > MOST_OF_PRINCIPAL:
        out = "Remove those that nobody uses: ctihub token list."
        raise Refused("token.too-many", f"{owner.name} has {MOST_OF_PRINCIPAL:,} named tokens, the most possible.", out)


def _find(snapshot: RegistrySnapshot, owner: Principal, name: str) -> StoredToken:
    found = snapshot.tokens.get(full_name(owner.name, name)) if name else None
    if found is None:
        there = [token.name for token in snapshot.tokens.values() if token.principal == owner.name and token.name]
        raise NotFound("token.unknown-name", f"{owner.name} has no token {name!r}.", listing_of(there))
    return found


def _said(token: StoredToken) -> dict[str, object]:
    scope = token.scope
    return {
        "token": token.name,
        "rights": str(scope.rights),
        "collections": None if scope.collections is None else sorted(scope.collections),
        "networks": [str(network) for network in token.networks],
        "ends_us": token.ends_us,
    }


def _entry(owner: Principal, token: StoredToken, uses: Mapping[int, TokenUse], now_us: int) -> TokenEntry:
    state = "suspended" if owner.suspended else "ended" if token.has_ended(now_us) else "valid"
    used = tuple((digest, uses.get(digest.no, _NEVER)) for digest in token.digests)
    return TokenEntry(token, owner.kind, state, is_user(owner, token), used)
