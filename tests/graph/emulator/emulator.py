"""The emulator as tests use it: in their own process, or as a process of its own that can be killed.

What enters: a state folder. What leaves: `base_url` for clients, and `world` for the hands behind it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.graph.emulator.server import Servers
from tests.graph.emulator.world import World

_TOP = Path(__file__).parents[3]


class Emulator:
    """In this process, from `with` to its end; the state folder remains and may be opened again."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.world, self._how = World(folder), how
        self._servers = Servers(self.world.database)

    def __enter__(self) -> Self:
        self._servers.start(**self._how)
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.stop()
        self.world.close()

    @property
    def base_url(self) -> str:
        """What a client takes for https://graph.microsoft.com/v1.0."""
        return f"{self.world.setting('base')}/v1.0"

    @property
    def content_url(self) -> str:
        """The host of download and upload addresses."""
        return str(self.world.setting("content_base"))

    def restart(self) -> None:
        """Ends every connection and listens again on the same ports."""
        self._servers.stop()
        self._servers.start(**self._how)


class EmulatorProcess:
    """The same as a process; `kill` and `start` as often as a test likes, on the same ports and state."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.world = World(folder)
        self._folder, self._arguments = folder, arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        failed = self.world.counted("errors")
        self.world.close()
        if failed:
            raise RuntimeError("the emulator failed; its traceback is above")

    @property
    def base_url(self) -> str:
        """What a client takes for https://graph.microsoft.com/v1.0."""
        return f"{self.world.setting('base')}/v1.0"

    @property
    def content_url(self) -> str:
        """The host of download and upload addresses."""
        return str(self.world.setting("content_base"))

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 if none does."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.graph.emulator", "--state", str(self._folder), *self._arguments],
            cwd=_TOP, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(_TOP)},
        )  # fmt: skip
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line.startswith(b"listening"):
            raise RuntimeError("the emulator did not start")

    def kill(self) -> None:
        """Ends it at once, as SIGKILL does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
