"""The tables of STIX 2.1's cyber-observable objects and their predefined extensions. Source: section 6."""

from __future__ import annotations

from hub.core.validate.common import FLAG, MIME_TYPE, NOT_OBSERVED, TEXT, TEXTS, TIME
from hub.core.validate.kinds import (
    AnyOf,
    Anything,
    Binary,
    Dictionary,
    Embedded,
    EnumValue,
    Integer,
    Ipv6,
    ListOf,
    Needs,
    ObjectType,
    OneOf,
    Reference,
    Text,
    ValueKind,
)
from hub.core.validate.observable_extensions import (
    ACCOUNT_EXTENSIONS,
    CONTAINED,
    COUNT,
    DIGESTS,
    FILE_EXTENSIONS,
    HEX,
    INTEGER,
    PROCESS_EXTENSIONS,
    TRAFFIC_EXTENSIONS,
    at_least_one,
    to,
)
from hub.model.stix_types import STIX_TYPES

_PORT = Integer(0, 65_535)
_ENCODING = Text(r"[a-zA-Z0-9/.+_:-]{2,250}", "an IANA character set")

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|0?\d?\d|\d)"
IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d))?"
"""An address or a network. Leading zeros are accepted here: the canonical form refuses them with a better message."""

DOMAIN = r"[^\s/\\:@?#\[\]<>\"'`|{}^%]{1,1000}"
URL = r"[A-Za-z][A-Za-z0-9+.-]*:[^\s][^\x00-\x1f]*"
EMAIL = r"[^\s@](?:[^\x00-\x1f]*[^\s])?@[^\s@/\\]+"
MAC = r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2}){5}"
CPE = r"cpe:2\.3:[aho*\-](?::(?:[^\s:\\]|\\.)+){10}"
SOFTWARE_LANGUAGE = r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*"

ENCRYPTION_ALGORITHMS = frozenset({"AES-256-GCM", "ChaCha20-Poly1305", "mime-type-indicated"})
REGISTRY_TYPES = frozenset(
    f"REG_{word}"
    for word in (
        "NONE",
        "SZ",
        "EXPAND_SZ",
        "BINARY",
        "DWORD",
        "DWORD_BIG_ENDIAN",
        "DWORD_LITTLE_ENDIAN",
        "LINK",
        "MULTI_SZ",
        "RESOURCE_LIST",
        "FULL_RESOURCE_DESCRIPTION",
        "RESOURCE_REQUIREMENTS_LIST",
        "QWORD",
        "INVALID_TYPE",
    )
)


_ANY_SCO = ListOf(Reference(but=NOT_OBSERVED))
_X509_V3: dict[str, ValueKind] = {
    **dict.fromkeys(
        (
            "basic_constraints",
            "name_constraints",
            "policy_constraints",
            "key_usage",
            "extended_key_usage",
            "subject_key_identifier",
            "authority_key_identifier",
            "subject_alternative_name",
            "issuer_alternative_name",
            "subject_directory_attributes",
            "crl_distribution_points",
            "inhibit_any_policy",
            "certificate_policies",
            "policy_mappings",
        ),
        TEXT,
    ),
    "private_key_usage_period_not_before": TIME,
    "private_key_usage_period_not_after": TIME,
}
_CERTIFICATE: dict[str, ValueKind] = {
    "is_self_signed": FLAG,
    "hashes": DIGESTS,
    "version": TEXT,
    "serial_number": TEXT,
    "signature_algorithm": TEXT,
    "issuer": TEXT,
    "validity_not_before": TIME,
    "validity_not_after": TIME,
    "subject": TEXT,
    "subject_public_key_algorithm": TEXT,
    "subject_public_key_modulus": TEXT,
    "subject_public_key_exponent": INTEGER,
    "x509_v3_extensions": Embedded("x509-v3-extensions-type", _X509_V3, (), at_least_one(_X509_V3)),
}
_PROCESS: dict[str, ValueKind] = {
    "is_hidden": FLAG,
    "pid": INTEGER,
    "created_time": TIME,
    "cwd": TEXT,
    "command_line": TEXT,
    "environment_variables": Dictionary(TEXT),
    "opened_connection_refs": ListOf(to("network-traffic")),
    "creator_user_ref": to("user-account"),
    "image_ref": to("file"),
    "parent_ref": to("process"),
    "child_refs": ListOf(to("process")),
    "extensions": PROCESS_EXTENSIONS,
}
_ACCOUNT: dict[str, ValueKind] = {
    "user_id": TEXT,
    "credential": TEXT,
    "account_login": TEXT,
    "account_type": TEXT,
    "display_name": TEXT,
    "is_service_account": FLAG,
    "is_privileged": FLAG,
    "can_escalate_privs": FLAG,
    "is_disabled": FLAG,
    "account_created": TIME,
    "account_expires": TIME,
    "credential_last_changed": TIME,
    "account_first_login": TIME,
    "account_last_login": TIME,
    "extensions": ACCOUNT_EXTENSIONS,
}
_REGISTRY_VALUE: dict[str, ValueKind] = {"name": TEXT, "data": TEXT, "data_type": EnumValue(REGISTRY_TYPES)}
_REGISTRY: dict[str, ValueKind] = {
    "key": TEXT,
    "values": ListOf(Embedded("windows-registry-value-type", _REGISTRY_VALUE, (), at_least_one(_REGISTRY_VALUE))),
    "modified_time": TIME,
    "creator_user_ref": to("user-account"),
    "number_of_subkeys": INTEGER,
}
_ENDPOINT = to("ipv4-addr", "ipv6-addr", "mac-addr", "domain-name")
_ADDRESS_REFS: dict[str, ValueKind] = {
    "resolves_to_refs": ListOf(to("mac-addr")),
    "belongs_to_refs": ListOf(to("autonomous-system")),
}
_MIME_PART: dict[str, ValueKind] = {
    "body": TEXT,
    "body_raw_ref": to("artifact", "file"),
    "content_type": TEXT,
    "content_disposition": TEXT,
}
_TABLE = (
    ObjectType(
        "artifact",
        {
            "mime_type": Text(MIME_TYPE, "a MIME type"),
            "payload_bin": Binary(),
            "url": Text(URL, "a URL"),
            "hashes": DIGESTS,
            "encryption_algorithm": EnumValue(ENCRYPTION_ALGORITHMS),
            "decryption_key": TEXT,
        },
        (),
        (
            OneOf(("payload_bin", "url")),
            Needs("url", ("hashes",)),
            Needs("decryption_key", ("encryption_algorithm",)),
        ),
        section="6.1",
    ),
    ObjectType("autonomous-system", {"number": INTEGER, "name": TEXT, "rir": TEXT}, ("number",), section="6.2"),
    ObjectType(
        "directory",
        {"path": TEXT, "path_enc": _ENCODING, "ctime": TIME, "mtime": TIME, "atime": TIME, "contains_refs": CONTAINED},
        ("path",),
        section="6.3",
    ),
    ObjectType(
        "domain-name",
        {
            "value": Text(DOMAIN, "a domain name"),
            "resolves_to_refs": ListOf(to("ipv4-addr", "ipv6-addr", "domain-name")),
        },
        ("value",),
        section="6.4",
    ),
    ObjectType(
        "email-addr",
        {"value": Text(EMAIL, "an e-mail address"), "display_name": TEXT, "belongs_to_ref": to("user-account")},
        ("value",),
        section="6.5",
    ),
    ObjectType(
        "email-message",
        {
            "is_multipart": FLAG,
            "date": TIME,
            "content_type": TEXT,
            "from_ref": to("email-addr"),
            "sender_ref": to("email-addr"),
            "to_refs": ListOf(to("email-addr")),
            "cc_refs": ListOf(to("email-addr")),
            "bcc_refs": ListOf(to("email-addr")),
            "message_id": TEXT,
            "subject": TEXT,
            "received_lines": TEXTS,
            "additional_header_fields": Dictionary(Anything(), keys=r".+"),
            "body": TEXT,
            "body_multipart": ListOf(Embedded("mime-part-type", _MIME_PART, (), (OneOf(("body", "body_raw_ref")),))),
            "raw_email_ref": to("artifact"),
        },
        ("is_multipart",),
        STIX_TYPES["email-message"].clashes,
        section="6.6",
    ),
    ObjectType(
        "file",
        {
            "hashes": DIGESTS,
            "size": COUNT,
            "name": TEXT,
            "name_enc": _ENCODING,
            "magic_number_hex": HEX,
            "mime_type": TEXT,
            "ctime": TIME,
            "mtime": TIME,
            "atime": TIME,
            "parent_directory_ref": to("directory"),
            "contains_refs": _ANY_SCO,
            "content_ref": to("artifact"),
            "extensions": FILE_EXTENSIONS,
        },
        (),
        (AnyOf(("hashes", "name")),),
        section="6.7",
    ),
    ObjectType("ipv4-addr", {"value": Text(IPV4, "an IPv4 address"), **_ADDRESS_REFS}, ("value",), section="6.8"),
    ObjectType("ipv6-addr", {"value": Ipv6(), **_ADDRESS_REFS}, ("value",), section="6.9"),
    ObjectType("mac-addr", {"value": Text(MAC, "a MAC address")}, ("value",), section="6.10"),
    ObjectType("mutex", {"name": TEXT}, ("name",), section="6.11"),
    ObjectType(
        "network-traffic",
        {
            "start": TIME,
            "end": TIME,
            "is_active": FLAG,
            "src_ref": _ENDPOINT,
            "dst_ref": _ENDPOINT,
            "src_port": _PORT,
            "dst_port": _PORT,
            "protocols": TEXTS,
            "src_byte_count": COUNT,
            "dst_byte_count": COUNT,
            "src_packets": COUNT,
            "dst_packets": COUNT,
            "ipfix": Dictionary(Anything()),
            "src_payload_ref": to("artifact"),
            "dst_payload_ref": to("artifact"),
            "encapsulates_refs": ListOf(to("network-traffic")),
            "encapsulated_by_ref": to("network-traffic"),
            "extensions": TRAFFIC_EXTENSIONS,
        },
        ("protocols",),
        (AnyOf(("src_ref", "dst_ref")), *STIX_TYPES["network-traffic"].clashes),
        section="6.12",
    ),
    ObjectType("process", _PROCESS, (), at_least_one(_PROCESS), section="6.13"),
    ObjectType(
        "software",
        {
            "name": TEXT,
            "cpe": Text(CPE, "a CPE 2.3 name"),
            "swid": TEXT,
            "languages": ListOf(Text(SOFTWARE_LANGUAGE, "an RFC 5646 language tag")),
            "vendor": TEXT,
            "version": TEXT,
        },
        ("name",),
        section="6.14",
    ),
    ObjectType("url", {"value": Text(URL, "a URL")}, ("value",), section="6.15"),
    ObjectType("user-account", _ACCOUNT, (), at_least_one(_ACCOUNT), section="6.16"),
    ObjectType("windows-registry-key", _REGISTRY, (), at_least_one(_REGISTRY), section="6.17"),
    ObjectType("x509-certificate", _CERTIFICATE, (), at_least_one(_CERTIFICATE), section="6.18"),
)

OBSERVABLES = {one.name: one for one in _TABLE}
"""Cyber-observable objects by their type."""
