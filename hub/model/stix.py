"""Facts of STIX 2.1 that several rooms need."""

from __future__ import annotations

from collections.abc import Mapping

SCO_TYPES = frozenset(
    {
        "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr",
        "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account",
        "windows-registry-key", "x509-certificate",
    }
)  # fmt: skip
"""Cyber-observable objects, STIX 2.1 section 6."""

KEPT_EXTENSION = "extension-definition--f82dae75-1890-5e4a-907d-b8105061ee17"
"""Where properties are kept that STIX 2.1 no longer has. It is no part of what a thing is, so of no id."""

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
"""Extensions that STIX 2.1 itself defines, in section 6; any other name of this kind is the sender's own."""

TIMES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("campaign", "infrastructure", "intrusion-set", "malware", "sighting", "threat-actor"),
        frozenset({"first_seen", "last_seen"}),
    ),
    **dict.fromkeys(("directory", "file"), frozenset({"ctime", "mtime", "atime"})),
    "email-message": frozenset({"date"}),
    "indicator": frozenset({"valid_from", "valid_until"}),
    "language-content": frozenset({"object_modified"}),
    "malware-analysis": frozenset({"submitted", "analysis_started", "analysis_ended"}),
    "network-traffic": frozenset({"start", "end"}),
    "observed-data": frozenset({"first_observed", "last_observed"}),
    "process": frozenset({"created_time"}),
    "relationship": frozenset({"start_time", "stop_time"}),
    "report": frozenset({"published"}),
    "user-account": frozenset(
        {
            "account_created",
            "account_expires",
            "credential_last_changed",
            "account_first_login",
            "account_last_login",
        }
    ),
    "windows-registry-key": frozenset({"modified_time"}),
    "x509-certificate": frozenset({"validity_not_before", "validity_not_after"}),
}
"""Properties that hold timestamps, by type; under the same name elsewhere they are the sender's own, and any text."""
