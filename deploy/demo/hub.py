"""A hub of the demo: its own process, its own folder."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.config import Config, load_config

WITHIN_S = 300.0
"""The time limit for starting a hub or processing a file, on a slow machine."""


class DemoFailed(Exception):
    """One sentence with what to do."""


@dataclass
class Hub:
    """A hub of the demo: its own process, its own folder."""

    folder: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Returns its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Config:
        """Returns its configuration, as in its process."""
        told = {name.removeprefix("CTIHUB_").lower(): value for name, value in self.environment.items()}
        return load_config(overrides={**told, "data_dir": self.folder.resolve(), "http_port": self.port})

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it; its log is in its folder."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log_file = self.folder / "hub.log"
        log_file.touch(mode=0o600)
        log_file.chmod(0o600)
        with log_file.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - a fixed command
                [sys.executable, "-m", "hub.cli", "serve", "--port", str(self.port), "--data-dir", str(self.folder)],
                env={**os.environ, "CTIHUB_LOG_FORMAT": "json", **self.environment}, stdout=log, stderr=log,
                start_new_session=True,  # the demo handles Ctrl-C and ends it
            )  # fmt: skip
            try:
                self._until_ready()
                yield
            finally:
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(15)
                self.process.kill()

    def _until_ready(self) -> None:
        import httpx

        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=WITHIN_S, trust_env=False).status_code == 200:
                    return
            time.sleep(0.05)
        tail = (self.folder / "hub.log").read_text(errors="replace").strip().splitlines()[-3:]
        raise DemoFailed(f"the hub did not start; its log {self.folder / 'hub.log'} ends with: {' / '.join(tail)}")

    def ensure_running(self) -> None:
        """Raises DemoFailed if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise DemoFailed(f"the hub ended; see {self.folder / 'hub.log'}.")

    def wait(self) -> None:
        """Wait until it ends, or Ctrl-C."""
        if self.process is not None and self.process.wait() != 0:
            self.ensure_running()


def ensure_free(port: int) -> None:
    """Raises DemoFailed if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoFailed(f"port {port} is taken ({error.strerror}); choose another: make demo PORT=8490") from None


def free_port() -> int:
    """Returns a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
