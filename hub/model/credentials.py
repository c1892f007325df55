"""How a principal authenticates: a union of frozen values.

Doors read credentials from requests, ``hub/registry/access.py`` finds the principal. A new kind is one class and one
member of the union here, and one ``case`` there; mypy reports it while the case is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A token as it was sent, not yet checked."""

    token: str = field(repr=False)
    name: str | None = None
    """The name that was sent with it; it must be the principal's, or the token's full name."""
    address: str | None = None
    """The address that they come from; None: not known."""


Credentials: TypeAlias = TokenCredentials
