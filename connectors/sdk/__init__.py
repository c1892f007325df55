"""What a connector is made of. Write ``items``, say what the settings are; the runner does the rest.

Importable without the hub. ``docs/connectors.md`` walks through a whole connector.
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
