"""The systemd units: understood by systemd where it is there, hardened, and running what the hub has."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.role import Role
from hub.worker_process import DRAIN_S
from tests.deploy.files import DEPLOY

FOLDER = DEPLOY / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
EXPOSURE = 20
"""Of 100, as ``systemd-analyze security`` counts; the units had 12 when this was written."""


def read(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / name, "utf-8")
    return parser


def words(name: str) -> list[str]:
    return read(name)["Service"]["ExecStart"].split()


@pytest.fixture
def at_home(tmp_path: Path) -> Path:
    """The units as they would be on a machine where the hub is installed in this very environment."""
    here = str(Path(sys.executable).parent / "ctihub")
    for path in FOLDER.glob("ctihub*"):
        name = path.name.replace("@.", "@1.")
        (tmp_path / name).write_text(path.read_text("utf-8").replace("/opt/ctihub/bin/ctihub", here))
    return tmp_path


def analyze(*said: str, folder: Path) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd on this machine")
    done = subprocess.run([program, *said], cwd=folder, capture_output=True, text=True, check=False)
    if "Failed to connect to bus" in done.stderr or "unknown option" in done.stderr.lower():
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_understands_every_unit(at_home: Path) -> None:
    units = [f"./{path.name}" for path in sorted(at_home.iterdir()) if path.suffix in (".service", ".target")]
    assert analyze("verify", *units, folder=at_home) == ""


def test_systemd_would_find_a_misspelt_setting(at_home: Path) -> None:
    unit = at_home / "ctihub.service"
    unit.write_text(unit.read_text("utf-8").replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in analyze("verify", "./ctihub.service", folder=at_home)


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_little_exposed(at_home: Path, name: str) -> None:
    unit = f"./{name.replace('@.', '@1.')}"
    analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit, folder=at_home)


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_has_no_rights_but_its_state(name: str) -> None:
    service = read(name)["Service"]
    assert service["User"] == "ctihub"
    assert service["CapabilityBoundingSet"] == ""
    wanted = {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "UMask": "0077", "StateDirectory": "ctihub",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    }  # fmt: skip
    assert {key: service[key] for key in wanted} == wanted
    assert "ReadWritePaths" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_comes_back_and_is_given_time_to_end(name: str) -> None:
    service = read(name)["Service"]
    assert service["Restart"] == "always"
    assert read(name)["Unit"]["StartLimitIntervalSec"] == "0"
    assert int(service["TimeoutStopSec"]) > DRAIN_S
    assert service["KillMode"] == "mixed", "the worker of an all-in-one hub is told by its parent"


def test_there_is_a_unit_for_every_role() -> None:
    roles = {words(name)[words(name).index("--role") + 1] for name in SERVICES}
    assert roles == {role.value for role in Role}


def test_no_two_units_of_the_scaled_hub_want_one_port() -> None:
    said = {name: words(name)[words(name).index("--port") + 1] for name in SERVICES if "--port" in words(name)}
    assert said.keys() == {"ctihub-worker@.service", "ctihub-relay.service"}
    workers = {said["ctihub-worker@.service"].replace("%i", str(digit)) for digit in range(10)}
    assert said["ctihub-relay.service"] not in workers
    assert all(8480 < int(port) < 8500 for port in workers | {said["ctihub-relay.service"]})


@pytest.mark.parametrize("name", ["ctihub.service", "ctihub-doors.service"])
def test_what_has_doors_tells_its_counts_on_a_port_of_its_own_on_loopback(name: str) -> None:
    told = dict(word.split("=", 1) for word in read(name)["Service"]["Environment"].split())
    assert "CTIHUB_METRICS_HOST" not in told
    assert not 8480 <= int(told["CTIHUB_METRICS_PORT"]) < 8500


def test_the_roles_belong_to_the_target_which_excludes_the_all_in_one() -> None:
    for name in SERVICES:
        scaled = name != "ctihub.service"
        assert read(name)["Install"]["WantedBy"] == ("ctihub.target" if scaled else "multi-user.target")
        assert read(name)["Unit"].get("PartOf") == ("ctihub.target" if scaled else None)
    assert read("ctihub.target")["Unit"]["Conflicts"] == "ctihub.service"


def test_the_user_and_the_folder_of_the_configuration_are_made() -> None:
    assert re.search(r"^u ctihub -", (FOLDER / "ctihub.sysusers").read_text("utf-8"), re.MULTILINE)
    folders = (FOLDER / "ctihub.tmpfiles").read_text("utf-8")
    assert re.search(r"^d /etc/ctihub 0750 root ctihub -$", folders, re.MULTILINE)
    assert "CTIHUB_CONFIG=/etc/ctihub/ctihub.toml" in read("ctihub.service")["Service"]["Environment"]
