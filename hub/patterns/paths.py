"""Canonical form of object paths: keys unquoted where the grammar allows it, hash algorithms as STIX spells them."""

from __future__ import annotations

import re

from hub.patterns.ast import Path, PathStep, StepIndex
from hub.patterns.constants import quoted
from hub.patterns.observables.hashes import algorithm
from hub.patterns.tokens import KEY_WORDS

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def normal_path(path: Path) -> Path:
    """The path with canonical hash algorithm names, and indices without a plus sign.

    The algorithm is the last step, after one named ``hashes`` or ``…_hashes`` (STIX 2.1, section 2.7).
    """
    steps: list[PathStep] = [
        StepIndex(step.text.lstrip("+")) if isinstance(step, StepIndex) else step for step in path.steps
    ]
    if len(steps) > 1:
        last, before = steps[-1], steps[-2]
        if isinstance(last, str) and isinstance(before, str) and (before == "hashes" or before.endswith("_hashes")):
            steps[-1] = algorithm(last) or last
    return Path(path.type, tuple(steps))


def written_steps(path: Path) -> str:
    """The part of a path after ``type:`` in a pattern.

    >>> written_steps(Path("file", ("hashes", "SHA-256")))
    "hashes.'SHA-256'"
    """
    text = ""
    for step in path.steps:
        if isinstance(step, StepIndex):
            text += f"[{step.text}]"
        else:
            text += f".{_key(step)}" if text else _key(step)
    return text


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) and key not in KEY_WORDS else quoted(key)
