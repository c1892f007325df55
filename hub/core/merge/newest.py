"""Which claim of one source under one id counts: the one with the greatest (modified, stamp). See docs/semantics.md,
section 1, and for withdrawals section 3, "Ways out".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.core.merge.references import object_key
from hub.model.claims import DIGEST_BYTES, Claim, ClaimState, claim_key
from hub.model.problems import Code
from hub.model.reads import WaitingVersion
from hub.model.words import Stamp, StixId

_MOST_CANCELLED = 16
"""How many contents a withdrawal remembers, the latest ones. More than one only where objects were held."""


def newest(old: Claim | None, new: Claim) -> tuple[Claim | None, Code | None]:
    """Returns the claim to store (None: ``old`` stays), and the code of the problem for the source, if any."""
    if old is None:
        return new, None
    if old.state.is_withdrawn:
        if new.stamp < old.stamp:
            return None, Code.VERSION_OLDER
        return (None, Code.WITHDRAWAL_STANDS) if _keeps_out(old, new) else (new, None)
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


def _keeps_out(withdrawn: Claim, new: Claim) -> bool:
    """Whether a withdrawal stands that has cancelled this version, or a newer one, or this content."""
    if withdrawn.state is not ClaimState.WITHDRAWN_STANDING:
        return False
    if new.modified_us is not None and withdrawn.modified_us is not None:
        return new.modified_us <= withdrawn.modified_us
    return new.digest in withdrawn.cancelled


# ---------------------------------------------------------------- withdrawals


def withdrawal(old: Claim, stamp: Stamp) -> Claim | None:
    """The claim after a soft withdrawal at ``stamp``; None if the claim is newer, or is already withdrawn."""
    if old.state.is_withdrawn or stamp < old.stamp:
        return None
    return _withdrawn(old, stamp, ClaimState.WITHDRAWN)


def standing_withdrawal(old: Claim, stamp: Stamp, held: Sequence[WaitingVersion] = ()) -> Claim | None:
    """The claim after a withdrawal at ``stamp`` that stands; None if the claim is newer, or the withdrawal changes
    nothing. ``held``: the held objects that it withdraws as well.
    """
    if stamp < old.stamp or (old.state is ClaimState.WITHDRAWN_STANDING and not held):
        return None
    gone = _withdrawn(old, stamp, ClaimState.WITHDRAWN_STANDING)
    versions = [old.modified_us, *(one.modified_us for one in held)]
    contents = dict.fromkeys((*old.cancelled, *(one.digest for one in held)))
    return replace(
        gone,
        modified_us=max((one for one in versions if one is not None), default=None),
        digest=b"".join(contents)[-_MOST_CANCELLED * DIGEST_BYTES :],
    )


def superseded(old: Claim, by: Claim) -> Claim | None:
    """The claim after a newer version that is refused for its marking, or for something that was erased: withdrawn, and
    versions older than the refused one stay out. None if the claim is newer, or is already withdrawn.
    """
    gone = withdrawal(old, by.stamp)
    if gone is None or by.modified_us is None:  # of objects without ``modified`` whatever comes later counts
        return gone
    return replace(gone, state=ClaimState.WITHDRAWN_STANDING, modified_us=by.modified_us - 1, digest=b"")


def restored(old: Claim, stamp: Stamp) -> Claim | None:
    """The claim after its withdrawal was taken back at ``stamp``: still withdrawn, but softly. None if no withdrawal
    stands, or a later one does.
    """
    if old.state is not ClaimState.WITHDRAWN_STANDING or stamp < old.stamp:
        return None
    return _withdrawn(old, stamp, ClaimState.WITHDRAWN)


def no_claim(source: int, stix_id: StixId, stamp: Stamp) -> Claim:
    """What a source claims under an id under which it has never had a claim: withdrawn, and nothing was cancelled."""
    return Claim(
        key=claim_key(source, stix_id), source=source, id=stix_id, type=stix_id.partition("--")[0],
        thing=object_key(stix_id), modified_us=None, stamp=stamp, since=stamp, state=ClaimState.WITHDRAWN, digest=b"",
        body=b"",
    )  # fmt: skip


def _withdrawn(old: Claim, stamp: Stamp, state: ClaimState) -> Claim:
    return Claim(
        key=old.key, source=old.source, id=old.id, type=old.type, thing=old.thing, modified_us=old.modified_us,
        stamp=stamp, since=stamp, state=state, digest=old.digest, body=b"",
    )  # fmt: skip
