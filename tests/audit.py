"""``make audit``: what a deployment is made of, what is known against it, and under which licences it stands.

Writes ``build/sbom.cdx.json`` (CycloneDX) of all that a running hub may import. Ends with 0 when all was looked up
and nothing is known against it, 1 when something is, or a licence does not fit, and 3 when it could not be looked up:
a tool that reached no database says "no known vulnerabilities" all the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import licences

PROJECT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SBOM = PROJECT / "build" / "sbom.cdx.json"
GOOD, FOUND, NOT_LOOKED_UP = 0, 1, 3
_WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an audit ended, and what to say of it."""

    code: int
    says: str


def main() -> int:
    """All three; the worst ending counts, and a finding counts more than what is not known."""
    SBOM.parent.mkdir(exist_ok=True)
    bom = parts_of(_environment(), {*licences.needed(), licences.ROOT})
    SBOM.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n", "utf-8")
    print(f"{SBOM.relative_to(PROJECT)}: {len(bom['components']):,} components, CycloneDX {bom['specVersion']}.")
    known = judged(*_looked_up())
    print(known.says)
    fit = licences.main()
    print("Licences: nothing under GPL or AGPL." if fit == 0 else "Licences: see above.")
    return FOUND if FOUND in (known.code, int(bool(fit))) else known.code


def _environment() -> dict[str, Any]:
    """What CycloneDX's own tool finds in this environment, the tools of the tests among it."""
    tool = [str(BIN / "cyclonedx-py"), "environment", "--pyproject", "pyproject.toml", "--output-reproducible"]
    done = subprocess.run(
        [*tool, "--of", "JSON", str(sys.executable)], cwd=PROJECT, capture_output=True, check=True, timeout=_WITHIN_S
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _looked_up() -> tuple[int, str, str]:
    """The exit code of pip-audit over the locked versions, its report and what it complained of."""
    tool = [str(BIN / "pip-audit"), "-r", "requirements.lock", "--disable-pip", "--require-hashes"]
    done = subprocess.run(
        [*tool, "--progress-spinner", "off", "-f", "json"],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=_WITHIN_S,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def parts_of(bom: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """A bill of materials with these components alone, and what they depend on among themselves."""
    wanted = {normal(name) for name in names}
    components = [one for one in bom.get("components", ()) if normal(one["name"]) in wanted]
    kept = {one["bom-ref"] for one in components} | {bom.get("metadata", {}).get("component", {}).get("bom-ref")}
    depend = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", ()) if ref in kept]}
        for one in bom.get("dependencies", ())
        if one["ref"] in kept
    ]
    return {**bom, "components": components, "dependencies": depend}


def normal(name: str) -> str:
    """A distribution's name as all its spellings have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def judged(code: int, report: str, complaint: str) -> Verdict:
    """What pip-audit's report means. It skips what it cannot look up, and its exit code does not say so."""
    try:
        found = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (complaint.strip().splitlines() or [f"it ended with {code}"])[-1]
        return Verdict(
            NOT_LOOKED_UP, f"Not audited: pip-audit gave no report ({last}). Its database needs the network."
        )
    against = [(one["name"], one["version"], vuln) for one in found for vuln in one.get("vulns", ())]
    if against:
        lines = [
            f"{name} {version}: {vuln['id']}, fixed in {', '.join(vuln.get('fix_versions', ())) or 'no version yet'}"
            for name, version, vuln in against
        ]
        return Verdict(FOUND, "\n".join([f"Known against what a deployment is made of: {len(against)}", *lines]))
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if skipped or not found:
        return Verdict(
            NOT_LOOKED_UP,
            f"Not audited: {len(skipped):,} of {len(found):,} distributions could not be looked up"
            f"{_names(skipped)}. pip-audit's database needs the network.",
        )
    return Verdict(GOOD, f"Nothing is known against any of {len(found):,} distributions.")


def _names(names: Sequence[str], most: int = 5) -> str:
    return f" ({', '.join(names[:most])}{', …' if len(names) > most else ''})" if names else ""


if __name__ == "__main__":
    sys.exit(main())
