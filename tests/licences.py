"""``python -m tests.licences``: nothing under GPL or AGPL is imported by the hub or installed with it.

Looks at what the distribution needs to run, its optional parts included, down to the last
dependency. LGPL is fine as a dependency.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires

from packaging.requirements import Requirement

ROOT = "ctihub"
EXTRAS = ("kafka", "postgres", "yara")
_COPYLEFT = re.compile(r"\bA?GPL|Affero|(?<!Lesser )General Public License", re.IGNORECASE)
_WEAK = re.compile(r"LGPL|Lesser General Public", re.IGNORECASE)


def needed() -> set[str]:
    """The names of all distributions that a running hub may import."""
    found: set[str] = set()
    waiting = [(ROOT, extra) for extra in ("", *EXTRAS)]
    while waiting:
        name, extra = waiting.pop()
        for line in requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            if requirement.name.lower() not in found:
                found.add(requirement.name.lower())
                waiting.extend((requirement.name, more) for more in ("", *requirement.extras))
    return found


def licence(name: str) -> str:
    """What a distribution says of its licence: expression, field, classifiers."""
    said = distribution(name).metadata
    classifiers = [one for one in said.get_all("Classifier") or () if one.startswith("License")]
    field = "\n".join(said.get_all("License") or ()).splitlines()[:1]
    stated = [*(said.get_all("License-Expression") or ()), *classifiers]
    return "; ".join(stated or field)


def main() -> int:
    """Print what must not be there; exit code 1 when there is anything."""
    wrong = []
    for name in sorted(needed()):
        try:
            text = licence(name)
        except PackageNotFoundError:
            continue  # for another platform or Python
        if _COPYLEFT.search(_WEAK.sub("", text)):
            wrong.append(f"{name}: {text}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
