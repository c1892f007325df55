"""Install the project and extras into the running Python's environment: ``python -m deploy.install WHAT EXTRA…``.

pip's own output is hundreds of lines, or with ``-q`` none for minutes: this shows what pip is doing.
"""

from __future__ import annotations

import subprocess
import sys

from deploy.progress import Step

PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", "-c", "constraints.txt", "-e")
SHOWN = ("Collecting", "Downloading", "Preparing", "Building", "Installing")


def main(what: str, extras: list[str]) -> int:
    """Install; returns pip's exit code, and prints pip's output if it failed."""
    step = Step(what)
    printed: list[str] = []
    command = [sys.executable, *PIP, f".[{','.join(extras)}]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603
        assert pip.stdout is not None  # noqa: S101
        for line in pip.stdout:
            printed.append(line)
            if line.strip().startswith(SHOWN):
                step.at(line.strip())
    installed = next((line.split()[2:] for line in reversed(printed) if line.startswith("Successfully")), [])
    others = sum(not name.startswith("ctihub-") for name in installed)
    step.done("failed" if pip.returncode else f"{others} new packages")
    if pip.returncode:
        sys.stderr.writelines(printed)
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
