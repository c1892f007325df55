"""What a deployment is made of: the locked versions are the tested ones, and an audit that saw nothing says so."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import licences
from tests.audit import FOUND, GOOD, NOT_LOOKED_UP, judged, normal, parts_of

PROJECT = Path(__file__).parents[2]
_PIN = re.compile(r"([\w.-]+)==(\S+?)(?: ;.*)?")


def pinned(name: str) -> dict[str, str]:
    """Versions by normalised name."""
    lines = [line.split(" \\")[0] for line in (PROJECT / name).read_text("utf-8").splitlines() if line[:1].isalnum()]
    found = [_PIN.fullmatch(line) for line in lines]
    assert all(found), lines
    return {normal(each[1]): each[2] for each in found if each}


CONSTRAINTS = pinned("constraints.txt")
LOCKS = ["requirements.lock", "requirements-build.lock"]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locked_versions_are_those_of_the_constraints(lock: str) -> None:
    there = pinned(lock)
    assert there == {name: CONSTRAINTS.get(name) for name in there}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_the_hashes_of_its_files_and_no_address(lock: str) -> None:
    text = (PROJECT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.fullmatch(r"\S+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry
    assert "://" not in text
    assert "--index" not in text


def test_all_that_a_running_hub_may_import_is_locked() -> None:
    assert {normal(name) for name in licences.needed()} <= pinned("requirements.lock").keys()


def test_what_builds_the_hub_is_pinned_and_locked() -> None:
    said = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    locked = pinned("requirements-build.lock")
    for line in said:
        requirement = Requirement(line)
        assert str(requirement.specifier) == f"=={locked[normal(requirement.name)]}"


def test_every_tool_of_the_audit_has_a_version() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {normal(name) for name in extras["audit"]} <= CONSTRAINTS.keys()


# ---------------------------------------------------------------- the audit


def a_report(*dependencies: Mapping[str, object]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CLEAN = {"name": "idna", "version": "3.20", "vulns": []}
SKIPPED = {"name": "ada-url", "skip_reason": "Dependency not found on PyPI and could not be audited: ada-url (4.0.0)"}
HIT = {"name": "h11", "version": "0.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"], "aliases": []}]}


def test_all_looked_up_and_nothing_known_is_good() -> None:
    assert judged(0, a_report(CLEAN), "").code == GOOD


@pytest.mark.parametrize("report", [a_report(SKIPPED), a_report(CLEAN, SKIPPED), a_report(), "", "no JSON", "[]"])
def test_what_was_not_looked_up_is_said_and_is_no_success(report: str) -> None:
    verdict = judged(0, report, "Traceback\nConnectionError: no route")
    assert verdict.code == NOT_LOOKED_UP
    assert verdict.says.startswith("Not audited")
    assert "network" in verdict.says


def test_what_is_known_against_one_counts_more_than_what_is_not_known_of_others() -> None:
    verdict = judged(1, a_report(CLEAN, SKIPPED, HIT), "")
    assert verdict.code == FOUND
    assert "h11 0.1: PYSEC-1, fixed in 0.2" in verdict.says


def test_a_bill_of_materials_names_what_is_needed_and_nothing_of_the_tests() -> None:
    bom = {
        "specVersion": "1.6",
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"bom-ref": name, "name": name} for name in ("Markdown_It.py", "pytest", "rich")],
        "dependencies": [
            {"ref": "root", "dependsOn": ["rich", "pytest"]},
            {"ref": "rich", "dependsOn": ["Markdown_It.py"]},
            {"ref": "pytest", "dependsOn": ["rich"]},
        ],
    }
    found = parts_of(bom, {"markdown-it-py", "rich"})
    assert [one["name"] for one in found["components"]] == ["Markdown_It.py", "rich"]
    assert found["dependencies"] == [
        {"ref": "root", "dependsOn": ["rich"]},
        {"ref": "rich", "dependsOn": ["Markdown_It.py"]},
    ]
