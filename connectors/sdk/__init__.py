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
    SourceWarning,
)
from connectors.sdk.errors import ConnectorError, PublishRefused, SourceFailed, TryLater, WrongSettings
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
    "Publisher",
    "RunReport",
    "Runner",
    "SourceFailed",
    "SourceWarning",
    "TryLater",
    "WrongSettings",
]
