"""Publishes over the hub's HTTPS push API."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from connectors.sdk.client import HubClient
from connectors.sdk.errors import PublishRefused
from connectors.sdk.publisher import Acknowledged


class HttpPublisher:
    """``POST /v1/intake`` with NDJSON. A batch over the hub's limit is halved; a single object over it is left out."""

    def __init__(self, client: HubClient) -> None:
        self._client = client
        self.too_large: list[int] = []
        """Sizes in bytes of single objects over the hub's limit."""

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Publish objects; they are durable in the hub's intake when this returns."""
        received, receipts, left_out = 0, [], []
        parts = deque([(0, tuple(bodies))])
        while parts:
            start, part = parts.popleft()
            try:
                accepted = self._client.push(part)
            except PublishRefused as refusal:
                if refusal.status != 413:
                    raise
                if len(part) == 1:
                    self.too_large.append(len(part[0]))
                    left_out.append(start)
                else:
                    middle = len(part) // 2
                    parts.extendleft(((start + middle, part[middle:]), (start, part[:middle])))
            else:
                received += accepted.received
                receipts.append(accepted.status_url)
        return Acknowledged(received=received, receipts=tuple(receipts), left_out=tuple(left_out))

    def withdraw(self, ids: Sequence[str]) -> Acknowledged:
        """Withdraw softly; the withdrawals are durable in the hub's intake when this returns."""
        accepted = self._client.withdraw(ids, soft=True)
        return Acknowledged(received=accepted.received, receipts=(accepted.status_url,))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
