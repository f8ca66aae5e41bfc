"""A real clamd for tests, with a signature folder of one line: it finds the EICAR test file and nothing else."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transfer.inspection.clamd import eicar

CLAMD = shutil.which("clamd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def running_clamd(
    folder: Path, *, stream_max: int = 2_000_000, extra: str = "", signature: str = "*"
) -> Iterator[Path]:
    """The Unix socket of a clamd started for the occasion; `folder` must have a short path (sockets allow 107 bytes).

    `stream_max` is its StreamMaxLength in bytes, `extra` more lines for its configuration, `signature` the offset of
    the one signature (anything but `*` and `0` makes it find nothing).
    """
    if CLAMD is None:
        raise RuntimeError("clamd is not installed")
    path, signatures = folder / "clamd.sock", folder / "signatures"
    signatures.mkdir(parents=True)
    (signatures / "test.ndb").write_text(f"Eicar-Test-File:0:{signature}:{eicar().hex()}\n")
    settings = folder / "clamd.conf"
    settings.write_text(
        f"Foreground yes\nLocalSocket {path}\nDatabaseDirectory {signatures}\nStreamMaxLength {stream_max}\n"
        f"TemporaryDirectory {folder}\nMaxThreads 2\nSelfCheck 0\nConcurrentDatabaseReload no\n{extra}"
    )
    process = subprocess.Popen(
        [CLAMD, "--config-file", str(settings)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        _wait_for(path, process)
        yield path
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"clamd did not start: {process.communicate()[0].decode(errors='replace')[-500:]}")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                time.sleep(0.02)
            else:
                return
    raise RuntimeError("clamd did not answer within 30 seconds")
