"""The parts of a connector. An author writes ``items`` and the settings; the runner does the rest.

It does not import the hub. ``docs/connectors.md`` explains a complete connector.
"""

from connectors.sdk.checkpoints import CheckpointFile, Checkpoints, NoCheckpoints
from connectors.sdk.connector import (
    Checkpoint,
    Connector,
    ConnectorSettings,
    Item,
    LeftOut,
    LeftOutCounts,
    SourceList,
    SourceWarning,
)
from connectors.sdk.errors import ConnectorError, PublishRefused, SourceFailed, TryLater, WrongSettings
from connectors.sdk.published import PublishedFile, PublishedIds
from connectors.sdk.publisher import Acknowledged, LinesPublisher, Publisher
from connectors.sdk.runner import Runner, RunReport

__all__ = [
    "Acknowledged",
    "Checkpoint",
    "CheckpointFile",
    "Checkpoints",
    "Connector",
    "ConnectorError",
    "ConnectorSettings",
    "Item",
    "LeftOut",
    "LeftOutCounts",
    "LinesPublisher",
    "NoCheckpoints",
    "PublishRefused",
    "PublishedFile",
    "PublishedIds",
    "Publisher",
    "RunReport",
    "Runner",
    "SourceFailed",
    "SourceList",
    "SourceWarning",
    "TryLater",
    "WrongSettings",
]
