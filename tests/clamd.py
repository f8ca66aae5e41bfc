"""A real clamd for tests, with a signature folder of one line: it finds the EICAR test file and nothing else."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from transfer.inspection.scan import eicar

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


@contextmanager
def dated(real: Path, path: Path, *, days_old: int = 0) -> Iterator[Path]:
    """A socket before a clamd, which passes everything on and only dates its VERSION.

    A clamd with hand-made signatures says neither their number nor their age; the official ones cannot be made here.
    """
    moment = datetime.now(UTC) - timedelta(days=days_old)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(16)

    def serve(connection: socket.socket) -> None:
        with connection, socket.socket(socket.AF_UNIX) as behind:
            behind.connect(str(real))
            while True:
                ready = select.select([connection, behind], [], [])[0]
                if behind in ready:  # it has its answer, or hangs up
                    connection.sendall(behind.recv(4096))
                    return
                chunk = connection.recv(65536)
                if chunk == b"nVERSION\n":
                    connection.sendall(f"ClamAV 1.4.3/27000/{moment:%a %b %e %H:%M:%S %Y}\n".encode())
                    return
                if not chunk:
                    return
                with contextlib.suppress(OSError):  # its last words are still to be read
                    behind.sendall(chunk)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink()
