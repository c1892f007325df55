"""Publishes STIX from files: a bundle, a list, NDJSON, single objects; packed or not; one file, a folder, a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import ConnectorSettings
from connectors.sdk.files import FilesConnector, FilesSettings, SeenFile
from connectors.sdk.objects import split
from connectors.sdk.sources import Source


class StixFileSettings(FilesSettings):
    """Where the files are."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_STIX_FILE_")


class StixFileConnector(FilesConnector[StixFileSettings]):
    """Objects go out as the bytes that they are in the file; what is malformed is the hub's to refuse."""

    name: ClassVar[str] = "stix-file"
    summary: ClassVar[str] = "STIX bundles, NDJSON or single objects in files and folders, packed or not"
    Settings: ClassVar[type[ConnectorSettings]] = StixFileSettings
    suffixes = (".json", ".jsonl", ".ndjson", ".stix", ".stix2")

    def bodies(self, source: Source, file: SeenFile) -> Iterator[bytes]:
        """Each object as one line of bytes."""
        del file
        return split(source.chunks())
