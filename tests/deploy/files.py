"""What lies in ``deploy/``, read as the tests need it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.servers.java import PROJECT

DEPLOY = PROJECT / "deploy"
CHART = DEPLOY / "helm" / "ctihub"
OWN = [
    DEPLOY / name
    for name in ("Dockerfile", "compose.yaml", "compose", "prometheus", "grafana", "helm", "systemd", "README.md")
]


def compose() -> dict[str, Any]:
    """The stack as it is in the file, anchors and merges carried out."""
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8")))


def environment_of(service: str, **given: str) -> dict[str, str]:
    """The environment that a service of the stack gets, with these variables of the shell; the others are not set."""
    told = compose()["services"][service]["environment"]
    return {
        name: _VARIABLE.sub(lambda found: given.get(found[1], found[2]), str(value)) for name, value in told.items()
    }


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of this folder that is text, but for what others own (demo, kafka, postgres) and made secrets."""
    for place in OWN:
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and "secrets" not in path.relative_to(DEPLOY).parts:
                yield path, path.read_text("utf-8")


def server_properties() -> dict[str, str]:
    """What ``deploy/kafka/server.properties`` sets."""
    lines = (DEPLOY / "kafka" / "server.properties").read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def dashboard() -> dict[str, Any]:
    """The dashboard of Grafana."""
    return dict(json.loads((DEPLOY / "grafana" / "dashboards" / "ctihub.json").read_text("utf-8")))


def alerts() -> list[dict[str, Any]]:
    """The rules of all groups."""
    found = yaml.safe_load((DEPLOY / "prometheus" / "ctihub.rules.yml").read_text("utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def tracked(*folders: str) -> set[str]:
    """The files of the project under these folders, without what Python leaves behind."""
    done = subprocess.run(["git", "ls-files", *folders], cwd=PROJECT, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if (PROJECT / line).is_file()}


def prepare(folder: Path) -> Path:
    """The secrets of a stack, made by its own script in ``folder``, which need not be there."""
    assert shutil.which("openssl"), "openssl is missing; type: sudo apt-get install -y openssl"
    script = DEPLOY / "compose" / "prepare.sh"
    done = subprocess.run(["bash", script, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


VARIABLE = re.compile(r"\bCTIHUB_([A-Z][A-Z0-9_]*)")
_VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
"""A variable of the shell in ``compose.yaml``, with its default."""
