"""Options: from the file and the environment, the latter wins; what is wrong names what would have been right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.config import Config, ensure_private, load_config
from hub.config_values import PostgresAt, SqliteAt
from hub.listening import connection_limits
from hub.model.errors import WrongUsage


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ctihub.toml"
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold() -> None:
    config = load_config()
    assert (config.http_host, config.http_port, config.data_dir) == ("127.0.0.1", 8480, Path("ctihub-data"))
    assert config.database == SqliteAt(Path("ctihub-data/store.sqlite"))
    assert config.kafka_bootstrap is None
    assert (config.max_object_bytes, config.max_push_bytes, config.page_bytes) == (1 << 20, 64 << 20, 8 << 20)
    assert (config.max_bundle_objects, config.max_pattern_chars, config.page_objects) == (100_000, 65_536, 1_000)
    assert config.max_future == timedelta(minutes=10)
    assert config.held_lists == ("default",)


def test_the_file_here_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _file(tmp_path, 'HTTP_PORT = 9000\nlog_level = "DEBUG"\n')
    assert (load_config().http_port, load_config().log_level) == (9000, "debug")
    monkeypatch.setenv("CTIHUB_HTTP_PORT", "9001")
    assert load_config().http_port == 9001
    assert load_config(overrides={"http_port": 9002, "http_host": None}).http_port == 9002


def test_another_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.toml"
    other.write_text("HTTP_PORT = 9000")
    assert load_config(other).http_port == 9000
    monkeypatch.setenv("CTIHUB_CONFIG", str(other))
    assert load_config().http_port == 9000


@pytest.mark.parametrize(
    ("key", "near"), [("HTTP_PROT", "HTTP_PORT"), ("max_objects_bytes", "MAX_OBJECT_BYTES"), ("zzz", "")]
)
def test_an_unknown_key_of_the_file_names_the_nearest_known_one(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        load_config(_file(tmp_path, f"{key} = 1"))
    assert f"unknown key {key}; did you mean {near}" in str(caught.value)


def test_an_unknown_variable_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIHUB_HTTP_PROT", "1")
    monkeypatch.setenv("CTIHUB_SERVICE_HOST", "10.0.0.1")
    for known in ("URL", "TOKEN"):
        monkeypatch.setenv(f"CTIHUB_{known}", "x")
    said: list[str] = []
    load_config(warn=said.append)
    assert len(said) == 2
    assert "CTIHUB_HTTP_PROT is no option of the hub; did you mean CTIHUB_HTTP_PORT?" in said


@pytest.mark.parametrize(
    ("name", "value", "field", "read"),
    [
        ("MAX_PUSH_BYTES", "2 MiB", "max_push_bytes", 2 << 20),
        ("MAX_BUNDLE_OBJECTS", "1,000", "max_bundle_objects", 1_000),
        ("MAX_FUTURE", "2 h", "max_future", timedelta(hours=2)),
        ("MAX_FUTURE", "90", "max_future", timedelta(seconds=90)),
        ("HELD_LISTS", "a, b", "held_lists", ("a", "b")),
        ("HELD_LISTS", "none", "held_lists", ("none",)),
        ("BEHIND_PROXY", "true", "behind_proxy", True),
        ("PUBLIC_URL", "https://hub.example/", "public_url", "https://hub.example"),
        ("HTTP_PORT", "", "http_port", 8480),
    ],
)
def test_values_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, read: object
) -> None:
    monkeypatch.setenv(f"CTIHUB_{name}", value)
    assert getattr(load_config(), field) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "http"),
        ("HTTP_PORT", "65536"),
        ("PAGE_OBJECTS", "10001"),
        ("PAGE_OBJECTS", "0"),
        ("MAX_OBJECT_BYTES", "-1"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("PUBLIC_URL", "hub.example"),
        ("HELD_LISTS", "none,a"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("MAX_FUTURE", "soon"),
    ],
)
def test_a_wrong_value_names_the_option_and_where_it_stands(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CTIHUB_{name}", value)
    with pytest.raises(WrongUsage) as caught:
        load_config()
    assert name in str(caught.value)
    assert f"CTIHUB_{name}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"TLS_CERT": "c"}, "TLS_KEY"),
        ({"KAFKA_USERNAME": "u", "KAFKA_BOOTSTRAP": "k:1"}, "KAFKA_PASSWORD"),
        ({"KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"}, "KAFKA_BOOTSTRAP"),
        ({"KAFKA_BOOTSTRAP": "k:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_USERNAME"),
    ],
)
def test_options_that_go_together_are_asked_for_together(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], missing: str
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(f"CTIHUB_{name}", value)
    with pytest.raises(WrongUsage, match=missing):
        load_config()


def test_the_protocol_follows_the_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIHUB_KAFKA_BOOTSTRAP", "k:1")
    assert load_config().kafka_security_protocol == "PLAINTEXT"
    monkeypatch.setenv("CTIHUB_KAFKA_USERNAME", "u")
    monkeypatch.setenv("CTIHUB_KAFKA_PASSWORD", "p")
    assert load_config().kafka_security_protocol == "SASL_SSL"
    monkeypatch.setenv("CTIHUB_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext")
    assert load_config().kafka_security_protocol == "SASL_PLAINTEXT"


def test_no_password_shows_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIHUB_DATABASE_URL", "postgresql://hub:hunter2@db/hub")
    config = load_config(overrides={"kafka_bootstrap": "k:1", "kafka_username": "u", "kafka_password": "hunter2"})
    assert isinstance(config.database, PostgresAt)
    assert config.database.url == "postgresql://hub:hunter2@db/hub"
    assert "hunter2" not in repr(config) + str(config) + repr(config.database)


def test_options_survive_the_way_to_a_child_process() -> None:
    config = load_config(overrides={"database_url": "postgresql://hub:hunter2@db/hub", "max_future": "2 h"})
    assert Config.of_line(config.as_line()) == config


@pytest.mark.parametrize(
    ("said", "private"),
    [
        ({}, True),
        ({"http_host": "::1"}, True),
        ({"http_host": "localhost"}, True),
        ({"http_host": "127.9.9.9"}, True),
        ({"http_host": "0.0.0.0"}, False),
        ({"http_host": "::"}, False),
        ({"http_host": "hub.example"}, False),
        ({"http_host": "0.0.0.0", "behind_proxy": True}, True),
        ({"http_host": "0.0.0.0", "tls_cert": "c", "tls_key": "k"}, True),
    ],
)
def test_the_network_is_listened_to_only_with_tls_or_behind_a_proxy(said: dict[str, object], private: bool) -> None:
    config = load_config(overrides=said)
    if private:
        ensure_private(config)
    else:
        with pytest.raises(WrongUsage, match="--behind-proxy"):
            ensure_private(config)


def test_a_broken_file_is_said_to_be_broken(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="not TOML"):
        load_config(_file(tmp_path, "HTTP_PORT = = 1"))
    with pytest.raises(WrongUsage, match="twice"):
        load_config(_file(tmp_path, "HTTP_PORT = 1\nhttp_port = 2"))


def test_urls_name_the_scheme_and_bracket_ipv6() -> None:
    assert load_config(overrides={"http_host": "::1"}).url == "http://[::1]:8480"
    assert load_config(overrides={"tls_cert": "c", "tls_key": "k"}).url == "https://127.0.0.1:8480"
    assert load_config(overrides={"public_url": "https://hub.example"}).url == "https://hub.example"


def test_behind_a_proxy_its_own_address_has_no_ceiling() -> None:
    assert connection_limits(Config(behind_proxy=True)).each_address is None
    limits = connection_limits(Config(max_connections=100))
    assert (limits.connections, limits.each_address) == (100, 25)
    assert connection_limits(Config(max_connections_per_address=7)).each_address == 7
    assert (limits.head_s, limits.idle_s) == (20, 75)
