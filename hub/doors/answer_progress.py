"""How far an answer to a reader is: ``hub/doors/journaled.py`` counts what is sent, doors say how far it reaches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Scope

from hub.model.words import Seq

_HERE = "ctihub.answer_progress"
"""The key in the ASGI scope of the request."""
_PROCESS, _numbers = os.urandom(8).hex(), itertools.count()
"""Both make keys that no other process makes."""


class AnswerProgress:
    """One answer, on its way or sent. Whoever makes it states with ``say`` or ``advance`` what is known of it.

    It is kept after its request, so it has nothing of it but short values: many requests that live on for a second
    would cost more than all else of the journal, in the garbage collector.
    """

    __slots__ = (
        "address", "after", "began_us", "client", "door", "ended_us", "format", "is_sent", "key", "name", "objects",
        "query", "reached", "reader", "size_bytes", "status", "tell", "template", "token",
    )  # fmt: skip

    def __init__(self, began_us: int, tell: Callable[[], None] | None = None) -> None:
        """``tell`` is called when a live answer has advanced."""
        self.began_us = self.ended_us = began_us
        self.tell = tell
        self.door = ""
        """Empty until the request has reached a door that reads a collection."""
        self.reader = -1
        self.token = self.key = ""
        """``key`` is that of its entry in the journal, if the entry advances."""
        self.template = self.format = self.name = self.address = ""
        """Of the request: the path of its route, the format, the name or id of the collection, and who sent it."""
        self.query = self.client = b""
        self.status = 0
        self.size_bytes = 0
        self.is_sent = False
        """Whether all of it has been sent; of a live answer, whether some of it has."""
        self.after: Seq | None = None
        self.reached: Seq | None = None
        self.objects: int | None = None

    def say(self, *, after: Seq | None = None, reached: Seq | None = None, objects: int | None = None) -> None:
        """State what is known of an answer: after which change it starts, the last change that its reader has with it,
        the number of its objects. ``reached`` counts only when all of the answer is sent.
        """
        self.after, self.reached, self.objects = after, reached, objects

    def advance(self, reached: Seq, objects: int) -> None:
        """State that a live answer was sent up to ``reached``, with so many more objects; 0: it is still open."""
        self.key = self.key or f"{_PROCESS}{next(_numbers):016x}"
        self.is_sent = True
        self.reached = reached
        self.objects = (self.objects or 0) + objects
        if self.tell is not None:
            self.tell()


def watch_answer(scope: Scope, progress: AnswerProgress) -> None:
    """Let the door that answers a request find this progress."""
    scope[_HERE] = progress


def answer_progress(request: Request) -> AnswerProgress:
    """Returns the progress of the answer to a request; in an application without a journal, one that nobody reads."""
    found = request.scope.get(_HERE)
    return found if isinstance(found, AnswerProgress) else AnswerProgress(0)
