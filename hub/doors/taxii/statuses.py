"""Status resources: what became of each object of a request."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import orjson

from hub.core.sent import Sent
from hub.intake import StatusName, TakenWithStatus
from hub.model.kept_out import KeptOut
from hub.model.times import taxii_time
from hub.model.words import State, StixId
from hub.store.intake_port import PushedObject

_REMEMBERED_BYTES = 48 << 20
"""Enough for a request of 100,000 objects."""
Detail = dict[str, str]


class SentObjects:
    """Remembers what recent requests of this process have sent, up to so many bytes of memory, so that a status can
    name what is still pending. Another process, or this one after a restart, tells only the number.
    """

    def __init__(self, most_bytes: int = _REMEMBERED_BYTES) -> None:
        self._most_bytes = most_bytes
        self._sent: OrderedDict[str, tuple[Sequence[Sent], int]] = OrderedDict()
        self.held_bytes = 0

    def add(self, added: TakenWithStatus) -> None:
        """Remember a request; the oldest are forgotten for it."""
        size_bytes = sum(map(_memory_of, added.objects))
        self._sent[added.status.id] = (added.objects, size_bytes)
        self.held_bytes += size_bytes
        while self.held_bytes > self._most_bytes:
            self.drop(next(iter(self._sent)))

    def drop(self, status_id: str) -> None:
        """Forget a request, since it is complete."""
        self.held_bytes -= self._sent.pop(status_id, ((), 0))[1]

    def of(self, status_id: str) -> Sequence[Sent]:
        """Returns what a request has sent; nothing if that is not known here."""
        return self._sent.get(status_id, ((), 0))[0]


def _memory_of(sent: Sent) -> int:
    return sys.getsizeof(sent) + sum(sys.getsizeof(text) for text in sent if text is not None)


def status(
    name: StatusName,
    done: Sequence[PushedObject],
    sent: Sequence[Sent],
    rules_url: str,
    kept_out: Mapping[StixId, KeptOut | None],
) -> bytes:
    """Section 4.3.1. ``sent``: all objects of the request, or nothing if they are not known; then the list of those
    that are pending is left out. ``kept_out``: the ids of what is shown in no collection that the source may
    read, each with the rule, if it is known.
    """
    requested = taxii_time(name.at_ms * 1000)
    successes = [_done(one, requested, rules_url, kept_out) for one in done if not has_failed(one)]
    failures = [_done(one, requested, rules_url, {}) for one in done if has_failed(one)]
    seen = {one.index for one in done}
    pendings = [_detail(no, one.id, one.version, requested) for no, one in enumerate(sent) if no not in seen]
    pending_count = name.received - len(done)
    resource = {
        "id": name.id,
        "status": "pending" if pending_count else "complete",
        "request_timestamp": requested,
        "total_count": name.received,
        "success_count": len(successes),
        "failure_count": len(failures),
        "pending_count": pending_count,
    }
    lists = {"successes": successes, "failures": failures, "pendings": pendings}
    return orjson.dumps(resource | {key: some for key, some in lists.items() if some})


def has_failed(one: PushedObject) -> bool:
    """Whether an object was rejected."""
    return any(problem.state == State.REJECTED for problem in one.problems)


def _done(one: PushedObject, requested: str, rules_url: str, kept_out: Mapping[StixId, KeptOut | None]) -> Detail:
    detail = _detail(one.index, one.id, one.version, requested)
    messages = [f"{each.code}: {each.message} {rules_url}{each.code}" for each in one.problems]
    if one.id is not None and (stix_id := StixId(one.id)) in kept_out:
        rule = kept_out[stix_id]
        messages.append(f"No collection that you may read shows it{'' if rule is None else f': {rule.says}'}.")
    return detail | _message(messages)


def _message(lines: Iterable[str]) -> Detail:
    said = "\n".join(lines)
    return {"message": said} if said else {}


def _detail(index: int, object_id: str | None, version: str | None, requested: str) -> Detail:
    """An object without an id is named by its place, and one without a version by the time of the request, which the
    specification leaves to the server.
    """
    return {"id": object_id or f"objects/{index}", "version": version or requested}
