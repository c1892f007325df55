"""Publishes STIX from files: a bundle, a list, NDJSON, single objects; packed or not; one file, a folder, a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import ConnectorSettings
from connectors.sdk.files import FilesConnector, FilesSettings, SeenFile
from connectors.sdk.inputs import Input
from connectors.sdk.objects import split

_STIX_ID = re.compile(rb'"id"\s*:\s*"[a-z0-9-]+--')
_STIX_TYPE = re.compile(rb'"type"\s*:\s*"[a-z0-9-]+"')
_STIX_WORD = re.compile(rb'"(?:id|spec_version|created|modified|pattern|objects|value)"\s*:')


class StixFileSettings(FilesSettings):
    """Where the files are."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_STIX_FILE_")


class StixFileConnector(FilesConnector[StixFileSettings]):
    """Objects go out as the bytes that they are in the file; what is malformed is the hub's to refuse."""

    name: ClassVar[str] = "stix-file"
    summary: ClassVar[str] = "STIX bundles, NDJSON or single objects in files and folders, packed or not"
    Settings: ClassVar[type[ConnectorSettings]] = StixFileSettings
    suffixes = (".json", ".jsonl", ".ndjson", ".stix", ".stix2")

    def bodies(self, source: Input, file: SeenFile) -> Iterator[bytes]:
        """Each object as one line of bytes."""
        del file
        return split(source.chunks())

    def is_object(self, body: bytes | Mapping[str, Any]) -> bool:
        """Whether it could be meant as a STIX object, broken perhaps."""
        return isinstance(body, bytes) and _may_be_stix(body)


def _may_be_stix(raw: bytes) -> bool:
    """An object with an id of STIX's form; or, broken or incomplete, with a type and a word that goes with it.

    Errors of services have a ``type`` too ("about:blank", "error"), which is why a type alone is not enough.
    """
    return raw.startswith(b"{") and (
        _STIX_ID.search(raw) is not None or (_STIX_TYPE.search(raw) is not None and _STIX_WORD.search(raw) is not None)
    )
