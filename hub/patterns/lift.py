"""Renames object paths of STIX 2.0 to the names of the same properties in STIX 2.1."""

from __future__ import annotations

from hub.patterns.ast import Path, PathStep

_RENAMED = {
    ("directory", "created"): "ctime",
    ("directory", "modified"): "mtime",
    ("directory", "accessed"): "atime",
    ("file", "created"): "ctime",
    ("file", "modified"): "mtime",
    ("file", "accessed"): "atime",
    ("process", "created"): "created_time",
    ("process", "binary_ref"): "image_ref",
    ("user-account", "password_last_changed"): "credential_last_changed",
    ("windows-registry-key", "modified"): "modified_time",
}
"""STIX 2.0, part 4, compared with STIX 2.1, section 6. Dropped properties (``process:name``) have no new name and
stay."""

_REFERRED = {
    "parent_directory_ref": "directory",
    "binary_ref": "file",
    "image_ref": "file",
    "content_ref": "file",
    "creator_user_ref": "user-account",
    "belongs_to_ref": "user-account",
    "parent_ref": "process",
    "child_refs": "process",
    "opened_connection_refs": "network-traffic",
}
"""The only type that a reference can point to; other references have several, and the hub does not guess."""


def lifted(path: Path) -> Path:
    """The path with its properties renamed, also those after references.

    >>> lifted(Path("process", ("binary_ref", "parent_directory_ref", "created")))
    Path(type='process', steps=('image_ref', 'parent_directory_ref', 'ctime'))
    """
    kind: str | None = path.type
    steps: list[PathStep] = []
    for step in path.steps:
        if not isinstance(step, str):
            steps.append(step)
            continue
        steps.append(step if kind is None else _RENAMED.get((kind, step), step))
        kind = _REFERRED.get(step)
    return Path(path.type, tuple(steps))
