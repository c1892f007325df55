"""Which claim of one source under one id counts: the one with the greatest (modified, stamp). See docs/semantics.md,
section 1.
"""

from __future__ import annotations

from hub.model.claims import Claim, ClaimState
from hub.model.problems import Code


def newest(old: Claim | None, new: Claim) -> tuple[Claim | None, Code | None]:
    """Returns the claim to store (None: ``old`` stays), and the code of the problem for the source, if any."""
    if old is None:
        return new, None
    if old.state is ClaimState.WITHDRAWN:
        return (new, None) if new.stamp >= old.stamp else (None, Code.VERSION_OLDER)
    if new.modified_us is not None and old.modified_us is not None and new.modified_us != old.modified_us:
        if new.modified_us < old.modified_us:
            return None, Code.VERSION_OLDER
        return new, None
    if new.digest == old.digest:
        return None, Code.VERSION_SAME
    if new.stamp < old.stamp:
        return None, Code.VERSION_OLDER
    warning = None if new.modified_us is None else Code.VERSION_NOT_INCREMENTED
    return new, warning


def withdrawal(old: Claim, stamp: bytes) -> Claim | None:
    """The claim after a withdrawal at ``stamp``; None if the claim is newer, or is already withdrawn."""
    if old.state is ClaimState.WITHDRAWN or stamp < old.stamp:
        return None
    return Claim(
        key=old.key, source=old.source, id=old.id, type=old.type, thing=old.thing, modified_us=old.modified_us,
        stamp=type(old.stamp)(stamp), since=type(old.stamp)(stamp), state=ClaimState.WITHDRAWN, digest=b"", body=b"",
    )  # fmt: skip
