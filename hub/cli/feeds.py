"""Where ``ctihub connect`` keeps what it knows of a feed, and how a feed is found by its name."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.model.errors import NotFound, WrongUsage

_IS_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}").fullmatch
_NOT_OF_THE_FEED = ("password", "token", "centre")
"""Settings that do not make another feed: another centre changes the ids, not the feed."""
_MOST_NAMED = 10


def state_file(feed: str, settings: Mapping[str, Any], target: str) -> Path:
    """The path of a feed's checkpoint: another one for other settings, another hub or another centre. ``feed``: its
    name. Raises WrongUsage.
    """
    if not _IS_NAME(feed):
        says = f"{feed!r} is not the name of a feed."
        raise WrongUsage("feed.invalid", says, "Use small letters, digits and hyphens.")
    public = {key: value for key, value in settings.items() if key not in _NOT_OF_THE_FEED}
    name = json.dumps([public, target, str(Path.cwd())], sort_keys=True, default=str)
    return _folder() / f"{feed}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def published_by(feed: str) -> Path:
    """The file with the ids that a feed has published. ``feed``: its name, the name of its checkpoint, or the path of
    that. Raises NotFound, or WrongUsage if there are several of that name.
    """
    from connectors.sdk.published import published_beside

    if os.sep in feed or feed.endswith(".json"):
        found = published_beside(Path(feed))
        if not found.is_file():
            raise NotFound("feed.unknown", f"Beside {feed} there is no list of published ids.", _WAY_OUT)
        return found
    known = {path.stem: path for path in sorted(_folder().glob("*.published"))}
    if feed in known:
        return known[feed]
    same = [stem for stem in known if re.fullmatch(re.escape(feed) + "-[0-9a-f]{12}", stem)]
    if not same:
        told = f" Known are {', '.join(list(known)[:_MOST_NAMED])}." if known else ""
        raise NotFound("feed.unknown", f"No feed {feed} has published anything from here.{told}", _WAY_OUT)
    if len(same) > 1:
        says = f"Several feeds are called {feed}: {', '.join(same)}."
        raise WrongUsage("feed.ambiguous", says, "Name one of these, or several with --feed each.")
    return known[same[0]]


_WAY_OUT = "Run this where ctihub connect ran, as the same person; with --state FILE, name that file."


def _folder() -> Path:
    try:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        says = "There is no home folder for the checkpoint."
        raise WrongUsage("state.nowhere", says, "Give --state FILE.") from error
    return home / "ctihub"
