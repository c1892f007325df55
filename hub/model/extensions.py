"""Ids of STIX extensions that the hub uses: those of STIX 2.1, OASIS and CISA, and its own."""

from __future__ import annotations

VIEW_EXTENSION = "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3"
"""In it the hub describes a view: sources, voices, floor. In that of a sighting, an opinion or a note a source may name
a thing by its pattern (``about``)."""

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
