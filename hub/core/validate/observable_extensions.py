"""The predefined extensions of STIX 2.1's cyber-observable objects. Source: sections 6.7, 6.12, 6.13 and 6.16."""

from __future__ import annotations

from hub.core.validate.common import FLAG, TEXT, TEXTS, TIME
from hub.core.validate.kinds import (
    AnyOf,
    Dictionary,
    Embedded,
    EnumValue,
    Extensions,
    Hashes,
    Hex,
    Integer,
    ListOf,
    Number,
    PropertyRule,
    Reference,
    ValueKind,
)

HEX = Hex()
DIGESTS = Hashes()
INTEGER = Integer()
COUNT = Integer(0)
SOCKET_OPTION = r"(?:SO|ICMP|ICMP6|IP|IPV6|MCAST|TCP|IRLMP)(?:_[A-Z0-9]+)+"

ADDRESS_FAMILIES = frozenset(
    ["AF_UNSPEC", "AF_INET", "AF_IPX", "AF_APPLETALK", "AF_NETBIOS", "AF_INET6", "AF_IRDA", "AF_BTH"]
)
SOCKET_TYPES = frozenset(f"SOCK_{word}" for word in ("STREAM", "DGRAM", "RAW", "RDM", "SEQPACKET"))
INTEGRITY_LEVELS = frozenset({"low", "medium", "high", "system"})
START_TYPES = frozenset(
    f"SERVICE_{word}" for word in ("AUTO_START", "BOOT_START", "DEMAND_START", "DISABLED", "SYSTEM_ALERT")
)
SERVICE_TYPES = frozenset(
    f"SERVICE_{word}" for word in ("KERNEL_DRIVER", "FILE_SYSTEM_DRIVER", "WIN32_OWN_PROCESS", "WIN32_SHARE_PROCESS")
)
SERVICE_STATES = frozenset(
    f"SERVICE_{word}"
    for word in (
        "CONTINUE_PENDING",
        "PAUSE_PENDING",
        "PAUSED",
        "RUNNING",
        "START_PENDING",
        "STOP_PENDING",
        "STOPPED",
    )
)


def to(*types: str) -> Reference:
    """A reference to an object of one of these types."""
    return Reference(frozenset(types))


def at_least_one(properties: dict[str, ValueKind]) -> tuple[PropertyRule, ...]:
    """The rule that at least one of these properties is present."""
    return (AnyOf(tuple(properties)),)


CONTAINED = ListOf(to("file", "directory"))
_NTFS: dict[str, ValueKind] = {
    "sid": TEXT,
    "alternate_data_streams": ListOf(
        Embedded("alternate-data-stream-type", {"name": TEXT, "hashes": DIGESTS, "size": COUNT}, ("name",))
    ),
}
_PDF: dict[str, ValueKind] = {
    "version": TEXT,
    "is_optimized": FLAG,
    "document_info_dict": Dictionary(TEXT),
    "pdfid0": TEXT,
    "pdfid1": TEXT,
}
_IMAGE: dict[str, ValueKind] = {
    "image_height": INTEGER,
    "image_width": INTEGER,
    "bits_per_pixel": INTEGER,
    "exif_tags": Dictionary(keys=r"[A-Z][a-zA-Z0-9_-]{1,249}"),  # section 6.7.6: the name of a tag as in EXIF
}
_OPTIONAL_HEADER: dict[str, ValueKind] = {
    **dict.fromkeys(
        (
            "magic_hex",
            "win32_version_value_hex",
            "checksum_hex",
            "subsystem_hex",
            "dll_characteristics_hex",
            "loader_flags_hex",
        ),
        HEX,
    ),
    **dict.fromkeys(
        (
            "major_linker_version",
            "minor_linker_version",
            "address_of_entry_point",
            "base_of_code",
            "base_of_data",
            "image_base",
            "section_alignment",
            "file_alignment",
            "major_os_version",
            "minor_os_version",
            "major_image_version",
            "minor_image_version",
            "major_subsystem_version",
            "minor_subsystem_version",
            "number_of_rva_and_sizes",
        ),
        INTEGER,
    ),
    **dict.fromkeys(
        (
            "size_of_code",
            "size_of_initialized_data",
            "size_of_uninitialized_data",
            "size_of_image",
            "size_of_headers",
            "size_of_stack_reserve",
            "size_of_stack_commit",
            "size_of_heap_reserve",
            "size_of_heap_commit",
        ),
        COUNT,
    ),
    "hashes": DIGESTS,
}
_PE: dict[str, ValueKind] = {
    "pe_type": TEXT,
    "imphash": TEXT,
    "machine_hex": HEX,
    "number_of_sections": COUNT,
    "time_date_stamp": TIME,
    "pointer_to_symbol_table_hex": HEX,
    "number_of_symbols": COUNT,
    "size_of_optional_header": COUNT,
    "characteristics_hex": HEX,
    "file_header_hashes": DIGESTS,
    "optional_header": Embedded(
        "windows-pe-optional-header-type", _OPTIONAL_HEADER, (), at_least_one(_OPTIONAL_HEADER)
    ),
    "sections": ListOf(
        Embedded(
            "windows-pe-section-type",
            {"name": TEXT, "size": COUNT, "entropy": Number(), "hashes": DIGESTS},
            ("name",),
        )
    ),
}
FILE_EXTENSIONS = Extensions(
    {
        "archive-ext": Embedded("archive-ext", {"contains_refs": CONTAINED, "comment": TEXT}, ("contains_refs",)),
        "ntfs-ext": Embedded("ntfs-ext", _NTFS, (), at_least_one(_NTFS)),
        "pdf-ext": Embedded("pdf-ext", _PDF, (), at_least_one(_PDF)),
        "raster-image-ext": Embedded("raster-image-ext", _IMAGE, (), at_least_one(_IMAGE)),
        "windows-pebinary-ext": Embedded(
            "windows-pebinary-ext",
            _PE,
            ("pe_type",),
            at_least_one({name: kind for name, kind in _PE.items() if name != "pe_type"}),
        ),
    }
)
_TCP: dict[str, ValueKind] = {"src_flags_hex": HEX, "dst_flags_hex": HEX}
TRAFFIC_EXTENSIONS = Extensions(
    {
        "http-request-ext": Embedded(
            "http-request-ext",
            {
                "request_method": TEXT,
                "request_value": TEXT,
                "request_version": TEXT,
                "request_header": Dictionary(TEXTS, keys=r".+"),
                "message_body_length": INTEGER,
                "message_body_data_ref": to("artifact"),
            },
            ("request_method", "request_value"),
        ),
        "icmp-ext": Embedded(
            "icmp-ext", {"icmp_type_hex": HEX, "icmp_code_hex": HEX}, ("icmp_type_hex", "icmp_code_hex")
        ),
        "socket-ext": Embedded(
            "socket-ext",
            {
                "address_family": EnumValue(ADDRESS_FAMILIES),
                "is_blocking": FLAG,
                "is_listening": FLAG,
                "options": Dictionary(INTEGER, keys=SOCKET_OPTION),
                "socket_type": EnumValue(SOCKET_TYPES),
                "socket_descriptor": COUNT,
                "socket_handle": INTEGER,
            },
            ("address_family",),
        ),
        "tcp-ext": Embedded("tcp-ext", _TCP, (), at_least_one(_TCP)),
    }
)
_WINDOWS_PROCESS: dict[str, ValueKind] = {
    "aslr_enabled": FLAG,
    "dep_enabled": FLAG,
    "priority": TEXT,
    "owner_sid": TEXT,
    "window_title": TEXT,
    "startup_info": Dictionary(),
    "integrity_level": EnumValue(INTEGRITY_LEVELS),
}
_WINDOWS_SERVICE: dict[str, ValueKind] = {
    "service_name": TEXT,
    "descriptions": TEXTS,
    "display_name": TEXT,
    "group_name": TEXT,
    "start_type": EnumValue(START_TYPES),
    "service_dll_refs": ListOf(to("file")),
    "service_type": EnumValue(SERVICE_TYPES),
    "service_status": EnumValue(SERVICE_STATES),
}
PROCESS_EXTENSIONS = Extensions(
    {
        "windows-process-ext": Embedded("windows-process-ext", _WINDOWS_PROCESS, (), at_least_one(_WINDOWS_PROCESS)),
        "windows-service-ext": Embedded("windows-service-ext", _WINDOWS_SERVICE, (), at_least_one(_WINDOWS_SERVICE)),
    }
)
_UNIX: dict[str, ValueKind] = {"gid": Number(), "groups": TEXTS, "home_dir": TEXT, "shell": TEXT}
ACCOUNT_EXTENSIONS = Extensions({"unix-account-ext": Embedded("unix-account-ext", _UNIX, (), at_least_one(_UNIX))})
