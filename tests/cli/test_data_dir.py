"""A data folder that other users of the machine may look into is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.data_dir import open_to_others
from tests.cli.admin import Shell
from tests.running import RunningHub


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "says", "content"),
    [
        (0o700, 0o600, None, None),
        (0o750, 0o640, None, None),  # a group that makes backups
        (0o700, 0o666, None, None),  # nobody gets to the file
        (0o711, 0o600, None, None),
        (0o755, 0o600, "look into", False),
        (0o755, 0o644, "read or write store.sqlite", True),
        (0o711, 0o602, "read or write store.sqlite", True),
        (0o777, 0o600, "may replace files", True),
        (0o777, 0o666, "may replace files", True),
    ],
)
def test_what_others_may_do_is_said(
    tmp_path: Path, folder_mode: int, file_mode: int, says: str | None, content: bool | None
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "store.sqlite").touch()
    (folder / "store.sqlite").chmod(file_mode)
    folder.chmod(folder_mode)
    found = open_to_others(folder)
    if says is None:
        assert found is None
        return
    assert found is not None
    assert says in found.says
    assert found.gives_content is content
    assert found.way_out == f"chmod -R o= {folder}"


@given(folder_mode=st.integers(0o700, 0o777), file_mode=st.integers(0o600, 0o777))
def test_what_the_way_out_does_is_enough(
    tmp_path_factory: pytest.TempPathFactory, folder_mode: int, file_mode: int
) -> None:
    folder = tmp_path_factory.mktemp("data")
    (folder / "a file").touch()
    (folder / "a file").chmod(file_mode & 0o770)
    folder.chmod(folder_mode & 0o770)
    assert open_to_others(folder) is None


def test_a_folder_that_is_not_there_is_open_to_nobody(tmp_path: Path) -> None:
    assert open_to_others(tmp_path / "none") is None


def test_doctor_tells_of_an_open_folder(shell: Shell) -> None:
    shell.done("operator", "add", "root")
    data = shell.folder / "data"
    data.chmod(0o755)
    noted = {each["name"]: each for each in shell("doctor", "--json").json}["data dir"]
    data.chmod(0o777)
    bad = {each["name"]: each for each in shell("doctor", "--json").json}["data dir"]
    assert (noted["state"], bad["state"]) == ("note", "bad")
    assert "chmod" in bad["way_out"]


def test_what_the_hub_makes_is_for_its_user_alone(shell: Shell) -> None:
    assert shell("doctor").code in (0, 1)
    shell.done("operator", "add", "root")
    assert open_to_others(shell.folder / "data") is None


def test_a_hub_that_starts_in_an_open_folder_says_so(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "hub")
    hub.register(["ro"])
    hub.folder.chmod(0o777)
    with hub.running():
        pass
    assert '"data_dir.open"' in (hub.folder / "hub.log").read_text()
