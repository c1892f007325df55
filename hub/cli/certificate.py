"""Checks that a certificate matches its key and how long it is valid, by a handshake in memory.

The standard library returns the dates of a certificate only for a verified peer.
"""

from __future__ import annotations

import ssl
import time
from datetime import timedelta
from pathlib import Path

from hub.doors.tls import server_context
from hub.model.errors import Refused


def examine(certificate: Path, key: Path) -> timedelta:
    """Returns how long the certificate is still valid. Raises Refused if unreadable, expired or not matching."""
    server = server_context(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is the trust anchor here
    client.load_verify_locations(certificate)
    try:
        ends = str((_peer(client, server) or {}).get("notAfter"))
    except ssl.SSLCertVerificationError as error:
        raise Refused("tls.invalid", f"TLS_CERT: {certificate}: {error.verify_message}.", "Renew it.") from None
    return timedelta(seconds=ssl.cert_time_to_seconds(ends) - time.time())


def _peer(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object] | None:
    """Returns the server's certificate as the client sees it after a handshake."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    open_sides = [ours, theirs]
    while open_sides:
        for side in list(open_sides):
            try:
                side.do_handshake()
                open_sides.remove(side)
            except ssl.SSLWantReadError:
                continue
    return ours.getpeercert()  # type: ignore[return-value]  # typeshed gives a wider type
