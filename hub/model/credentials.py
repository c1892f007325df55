"""How somebody shows who it is: a union of frozen values.

Doors read them out of requests, ``hub/registry/access.py`` finds whose they are. A further kind is one class and one
member of the union here, and one ``case`` there, which does not type-check until it exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A token as it was sent, genuine or not."""

    token: str = field(repr=False)
    name: str | None = None
    """The name that was sent with it: it must be the principal's."""


Credentials: TypeAlias = TokenCredentials
