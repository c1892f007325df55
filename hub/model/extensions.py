"""Ids of STIX extensions that the hub uses: those of STIX 2.1, OASIS and CISA, and its own."""

from __future__ import annotations

KEPT_EXTENSION = "extension-definition--f82dae75-1890-5e4a-907d-b8105061ee17"
"""Keeps properties that STIX 2.1 dropped. It is ignored when ids are derived from content."""

PAP_EXTENSION = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
"""The Permissible Actions Protocol in marking-definitions (OASIS common objects)."""
ACS_EXTENSION = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
"""Access control specifications in marking-definitions (CISA)."""

OBSERVABLE_EXTENSIONS = frozenset(
    {
        "archive-ext", "http-request-ext", "icmp-ext", "ntfs-ext", "pdf-ext", "raster-image-ext", "socket-ext",
        "tcp-ext", "unix-account-ext", "windows-pebinary-ext", "windows-process-ext", "windows-service-ext",
    }
)  # fmt: skip
"""The predefined extensions of observables in STIX 2.1."""
