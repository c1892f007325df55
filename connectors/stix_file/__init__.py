"""Publishes STIX from files: bundles, lists, NDJSON or single objects, compressed or not; a file, folder or pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import ConnectorSettings
from connectors.sdk.files import FileBody, FilesConnector, FilesSettings, SeenFile
from connectors.sdk.inputs import Input
from connectors.sdk.objects import split_with_lines

_STIX_ID = re.compile(rb'"id"\s*:\s*"[a-z0-9-]+--')
_STIX_TYPE = re.compile(rb'"type"\s*:\s*"[a-z0-9-]+"')
_STIX_WORD = re.compile(rb'"(?:id|spec_version|created|modified|pattern|objects|value)"\s*:')


class StixFileSettings(FilesSettings):
    """Where the files are."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_STIX_FILE_")


class StixFileConnector(FilesConnector[StixFileSettings]):
    """Publishes objects as the bytes in the file; the hub rejects malformed ones."""

    name: ClassVar[str] = "stix-file"
    summary: ClassVar[str] = "STIX bundles, NDJSON or single objects in files and folders, packed or not"
    Settings: ClassVar[type[ConnectorSettings]] = StixFileSettings
    suffixes = (".json", ".jsonl", ".ndjson", ".stix", ".stix2")

    def bodies(self, source: Input, file: SeenFile) -> Iterator[FileBody]:
        """Yields each object as one line of bytes."""
        del file
        return numbered_bodies(source)

    def is_object(self, body: bytes | Mapping[str, Any]) -> bool:
        """Returns whether it may be a STIX object, possibly malformed."""
        return isinstance(body, bytes) and _may_be_stix(body)


def numbered_bodies(source: Input) -> Iterator[FileBody]:
    """Yields the objects of an input: by their lines in NDJSON, in other documents by their order."""
    for number, (body, line) in enumerate(split_with_lines(source.chunks()), start=1):
        yield FileBody(body, "line", line) if line else FileBody(body, "object", number)


def _may_be_stix(raw: bytes) -> bool:
    """Returns whether it has an id in STIX syntax or, if malformed or incomplete, a type and a related property.

    A type alone is not enough, since errors of services have a ``type`` too ("about:blank", "error").
    """
    return raw.startswith(b"{") and (
        _STIX_ID.search(raw) is not None or (_STIX_TYPE.search(raw) is not None and _STIX_WORD.search(raw) is not None)
    )
