"""All options of the hub: name, type, default, help. Read from ``ctihub.toml`` and ``CTIHUB_*``; the latter wins.

Lower layers get plain values, never the whole configuration.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from hub.config_values import (
    Duration,
    Networks,
    PositiveCount,
    PostgresAt,
    SecurityProtocol,
    Size,
    SqliteAt,
    Timeout,
    WholeNumber,
    Words,
    lower,
)
from hub.model.errors import WrongUsage
from hub.model.words import Limits

ENV_PREFIX = "CTIHUB_"
FILE_NAME = "ctihub.toml"
BESIDES = frozenset({"CONFIG", "URL", "TOKEN"})
"""Names after ``CTIHUB_`` that are not options of the hub: the configuration file, and settings of client commands."""


class Config(BaseSettings):
    """All options. Use ``load_config``; an instance made directly reads nothing but its arguments."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(Path("ctihub-data"), description="Where the hub keeps its files.")
    http_host: str = Field("127.0.0.1", description="The address to listen on.")
    http_port: int = Field(8480, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")
    public_url: str | None = Field(None, description="The address that others use for the hub, as in links in answers.")
    tls_cert: Path | None = Field(None, description="Certificate chain (PEM); with TLS_KEY, the hub uses HTTPS.")
    tls_key: Path | None = Field(None, description="Private key (PEM) of TLS_CERT.")
    behind_proxy: bool = Field(
        False, description="A proxy in front of the hub handles TLS: listen on any address, trust X-Forwarded-*."
    )
    metrics_host: str = Field("127.0.0.1", description="The address of METRICS_PORT.")
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="A separate port for all metrics and for health."
    )
    max_connections: PositiveCount | None = Field(None, description="The maximum number of HTTP connections.")
    max_connections_per_address: PositiveCount | None = Field(
        None, description="The maximum from one address, or one /64 network of IPv6."
    )
    max_requests_per_second: WholeNumber = Field(
        1_000, description="The maximum of each principal, or each address without credentials; 0: no limit."
    )
    head_timeout: Timeout = Field(
        timedelta(seconds=20), description="How long a connection may take for the head of a request, TLS included."
    )
    idle_timeout: Timeout = Field(
        timedelta(seconds=75), description="How long a connection may be idle between two requests."
    )
    database_url: SecretStr | None = Field(
        None, description="The store: `postgresql://user:password@host/name`, or `sqlite:///path`."
    )
    kafka_bootstrap: str | None = Field(
        None, description="Kafka brokers, `host:port,host:port`; without, the event log is a file."
    )
    kafka_security_protocol: SecurityProtocol = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_username: str | None = Field(None, description="The hub's user on the brokers (SCRAM-SHA-512).")
    kafka_password: SecretStr | None = Field(None, description="Its password.")
    kafka_ca_file: Path | None = Field(None, description="Certificates (PEM) to trust instead of the system's.")
    kafka_admin_username: str | None = Field(
        None, description="The user that creates topics, users and grants; only for provisioning."
    )
    kafka_admin_password: SecretStr | None = Field(None, description="Its password.")
    kafka_replication: int | None = Field(None, ge=1, le=32, description="Replicas of each topic.")
    kafka_partitions: Annotated[int, Field(ge=1, le=1_000)] = Field(
        1, description="Partitions of each intake topic; with more than 1, records without a key have no order."
    )
    held_lists: Words = Field(
        ("default",),
        description="Warning lists whose hits are held; `none` switches off the lists and the hub's own poison rules.",
    )
    max_object_bytes: Size = Field(1 << 20, description="The largest object.")
    max_push_bytes: Size = Field(64 << 20, description="The largest push, unpacked.")
    max_bundle_objects: PositiveCount = Field(100_000, description="The maximum number of objects in one bundle.")
    max_pattern_chars: PositiveCount = Field(65_536, description="The longest pattern.")
    max_future: Duration = Field(timedelta(minutes=10), description="How far in the future `modified` may be.")
    page_objects: PositiveCount = Field(
        1_000, le=10_000, description="The number of objects on a page, unless a client asks for another one."
    )
    page_bytes: Size = Field(8 << 20, description="The largest page.")
    webhook_allow: Networks = Field((), description="Networks to which webhooks may be sent besides public addresses.")
    webhook_http: bool = Field(False, description="Whether webhooks may be sent without TLS.")
    webhook_ca_file: Path | None = Field(
        None, description="Certificates (PEM) that receivers of webhooks may have besides the system's."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = Field(
        "info", description="debug, info, warning or error."
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(lower)] = Field(
        "console", description="console or json."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Disables the sources of pydantic-settings: ``load_config`` combines the sources itself."""
        return (init_settings,)

    @field_validator("public_url")
    @classmethod
    def _an_url(cls, said: str | None) -> str | None:
        if said is not None and re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", said) is None:
            raise ValueError("it looks like https://hub.example")
        return said.rstrip("/") if said else said

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, said: SecretStr | None) -> SecretStr | None:
        if said is not None and re.match(r"(postgres(ql)?|sqlite)://", said.get_secret_value()) is None:
            raise ValueError("it begins with postgresql:// or sqlite:///")
        return said

    @field_validator("held_lists")
    @classmethod
    def _none_stands_alone(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        if "none" in said and len(said) > 1:
            raise ValueError("none cannot be combined with other names")
        return said

    @model_validator(mode="before")
    @classmethod
    def _protocol_follows_the_user(cls, said: Any) -> Any:
        if isinstance(said, dict) and said.get("kafka_username") and not said.get("kafka_security_protocol"):
            return said | {"kafka_security_protocol": "SASL_SSL"}
        return said

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        for one, other in _TOGETHER:
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one.upper()} and {other.upper()} go together")
        if self.behind_proxy and self.max_connections_per_address:
            raise ValueError("MAX_CONNECTIONS_PER_ADDRESS with BEHIND_PROXY would count the proxy alone; set it there")
        if self.kafka_username and not self.kafka_bootstrap:
            raise ValueError("KAFKA_USERNAME needs KAFKA_BOOTSTRAP")
        if self.kafka_security_protocol.startswith("SASL") and not self.kafka_username:
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL {self.kafka_security_protocol} needs KAFKA_USERNAME")
        return self

    @property
    def database(self) -> SqliteAt | PostgresAt:
        """Where the store is."""
        if self.database_url is None:
            return SqliteAt(self.data_dir / "store.sqlite")
        url = self.database_url.get_secret_value()
        return SqliteAt(Path(url.removeprefix("sqlite://")[1:])) if url.startswith("sqlite") else PostgresAt(url)

    @property
    def limits(self) -> Limits:
        """The sizes at which input is refused."""
        return Limits(
            object_bytes=self.max_object_bytes,
            bundle_objects=self.max_bundle_objects,
            pattern_chars=self.max_pattern_chars,
            future_s=int(self.max_future.total_seconds()),
        )

    @property
    def url(self) -> str:
        """The URL of the hub for others, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.http_port}"

    def as_line(self) -> bytes:
        """All options as one line, including passwords: for a child process, over a pipe."""
        said = self.model_dump(mode="json", exclude_none=True)
        for name in said:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                said[name] = value.get_secret_value()
            elif isinstance(value, timedelta):
                said[name] = int(value.total_seconds())
        return json.dumps(said).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Config:
        """The options from a line of ``as_line``."""
        return cls(**json.loads(line))

    @property
    def open_host(self) -> str | None:
        """An option whose address would expose unencrypted traffic to the network; None if there is none.

        Loopback addresses, TLS, or a proxy in front of the hub are safe.
        """
        if self.tls_cert is not None or self.behind_proxy:
            return None
        hosts = [("HTTP_HOST", self.http_host)]
        if self.metrics_port is not None:
            hosts.append(("METRICS_HOST", self.metrics_host))
        return next((f"{name} {host}" for name, host in hosts if not is_loopback(host)), None)


_TOGETHER = (
    ("tls_cert", "tls_key"),
    ("kafka_username", "kafka_password"),
    ("kafka_admin_username", "kafka_admin_password"),
)


def is_loopback(host: str) -> bool:
    """Whether an address of the configuration is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def ensure_private(config: Config) -> None:
    """Refuse to expose tokens, marked data or counts to a network without encryption. Raises WrongUsage."""
    if config.open_host:
        raise WrongUsage(
            "config.not-private",
            f"{config.open_host} is reachable from the network, but TLS is not configured.",
            "Set TLS_CERT and TLS_KEY, give --behind-proxy if a proxy handles TLS, or listen on 127.0.0.1.",
        )


# ---------------------------------------------------------------- reading


def load_config(
    file: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Config:
    """The options from the file (``file``, or ``CTIHUB_CONFIG``, or ``./ctihub.toml``), the environment and
    ``overrides``.

    Later sources win. ``overrides`` is keyed by field name; None means not given. ``warn`` receives messages about
    unknown variables. Raises WrongUsage.
    """
    in_file = _read(_find(file))
    in_environment = dict(EnvSettingsSource(Config)())
    said = {name: value for name, value in (overrides or {}).items() if value is not None}
    for name in _unknown_variables():
        near = _nearest(name, alike=0.7)
        warn(f"{ENV_PREFIX}{name} is no option of the hub{f'; did you mean {ENV_PREFIX}{near}?' if near else '.'}")
    try:
        return Config(**(in_file | in_environment | said))
    except ValidationError as error:
        raise _refused(error, in_environment, said) from None


def _find(named: Path | None) -> Path | None:
    here = Path(FILE_NAME)
    if named is None and (said := os.environ.get(f"{ENV_PREFIX}CONFIG")):
        named = Path(said)
    if named is None:
        return here if here.is_file() else None
    if not named.is_file():
        raise WrongUsage(
            "config.no-file", f"There is no file {named}.", f"Without --config, {FILE_NAME} is read where there is one."
        )
    return named


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise WrongUsage(
            "config.unreadable", f"{file} cannot be read: {error.strerror}.", "Check its owner and permissions."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage("config.not-toml", f"{file} is not TOML: {error}.", "See https://toml.io.") from None
    values: dict[str, Any] = {}
    for key, value in found.items():
        name = key.lower()
        if name not in Config.model_fields:
            raise WrongUsage("config.unknown-key", f"{file}: unknown key {key}; did you mean {_nearest(key)}?")
        if name in values:
            raise WrongUsage("config.key-twice", f"{file}: {name.upper()} is set twice.")
        values[name] = value
    return values


def _unknown_variables() -> list[str]:
    names = sorted(name.removeprefix(ENV_PREFIX) for name in os.environ if name.startswith(ENV_PREFIX))
    return [name for name in names if name.lower() not in Config.model_fields and name not in BESIDES]


def _nearest(key: str, *, alike: float = 0.0) -> str:
    known = [name.upper() for name in Config.model_fields]
    return next(iter(get_close_matches(key.upper(), known, n=1, cutoff=alike)), "")


def _refused(error: ValidationError, environment: Mapping[str, Any], said: Mapping[str, Any]) -> WrongUsage:
    """The error for the first invalid option. It leaves out the value, which may be a password."""
    first = error.errors(include_url=False, include_input=False)[0]
    why = first["msg"].removeprefix("Value error, ").replace("Input should", "it should").partition(", unable")[0]
    if not first["loc"]:
        return WrongUsage("config.contradiction", f"{why}.", "See docs/configuration.md.")
    field = str(first["loc"][0])
    name = field.upper()
    where = "the command line" if field in said else f"{ENV_PREFIX}{name}" if field in environment else "the file"
    return WrongUsage("config.invalid", f"{name} (from {where}) is invalid: {why}.", f"{_help_of(field)}")


# ---------------------------------------------------------------- documentation


@dataclass(frozen=True, slots=True)
class Option:
    """One option, for documents and error messages."""

    name: str
    default: str
    says: str


_DEFAULTS_IN_WORDS = {
    "database_url": "SQLite in DATA_DIR",
    "public_url": "from HTTP_HOST and HTTP_PORT",
    "max_connections": "4,096, or what the limit of open files allows",
    "max_connections_per_address": "a quarter of MAX_CONNECTIONS; behind a proxy none",
    "head_timeout": "20 s",
    "idle_timeout": "75 s",
    "kafka_bootstrap": "none: embedded log",
    "kafka_security_protocol": "SASL_SSL with a user name, else PLAINTEXT",
    "kafka_admin_username": "KAFKA_USERNAME",
    "kafka_admin_password": "KAFKA_PASSWORD",
    "kafka_replication": "as many as brokers, 3 at most",
    "held_lists": "a default set",
    "max_object_bytes": "1 MiB",
    "max_push_bytes": "64 MiB",
    "page_bytes": "8 MiB",
    "max_future": "10 min",
    "page_objects": "1,000, at most 10,000",
    "webhook_allow": "none",
}


def options() -> Iterator[Option]:
    """All options, in the order of the documentation."""
    for field, info in Config.model_fields.items():
        default = _DEFAULTS_IN_WORDS.get(field) or _in_words(info.default)
        yield Option(field.upper(), default, info.description or "")


def _in_words(default: object) -> str:
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case int() if default >= 1_000 and default not in (8480,):
            return f"{default:,}"
        case Path():
            return f"./{default}"
        case _:
            return str(default)


def _help_of(field: str) -> str:
    info = Config.model_fields[field]
    return info.description or ""
