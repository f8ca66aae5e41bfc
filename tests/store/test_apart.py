"""What must not happen at once: whoever comes second waits, says so, and refuses in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from transfer.errors import Unavailable
from transfer.store.apart import Doing, alone, is_busy


def test_one_at_a_time_in_one_process_too(tmp_path: Path) -> None:
    path = tmp_path / "records.lock"
    assert not is_busy(path)
    with alone(path, Doing.BACKUP):
        assert is_busy(path)
        with (
            pytest.raises(Unavailable, match=f"A backup is being made .process {os.getpid()}."),
            alone(path, Doing.SWITCH),
        ):
            pass
        assert is_busy(path), "asking and being refused gave nothing back"
    assert not is_busy(path)
    assert path.read_bytes() == b"", "the next holder would be taken for this one until it says who it is"
    with alone(path, Doing.SWITCH):
        pass


def test_waiting_is_said_once_and_ends(tmp_path: Path) -> None:
    path, told = tmp_path / "records.lock", []
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(path, Doing.PRUNE):
            held.set()
            go.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    threading.Timer(0.7, go.set).start()
    with alone(path, Doing.SWITCH, patience=30, tell=told.append):
        assert go.is_set()
    holder.join()
    assert told == [f"Old shards of the log are being pruned (process {os.getpid()}); waiting until that is over."]


def test_it_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "records.lock"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom transfer.store.apart import Doing, alone\n"
        "with alone(Path(sys.argv[1]), Doing.BACKUP):\n    print(flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_busy(path)
        with pytest.raises(Unavailable, match=rf"process {process.pid}\b"), alone(path, Doing.SWITCH, patience=0.3):
            pass
        process.kill()
    until = time.monotonic() + 10
    while is_busy(path):
        assert time.monotonic() < until
    with alone(path, Doing.SWITCH):
        pass


def test_what_the_file_says_may_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "records.lock"
    for content in (b"", b"{", b"[]", b'{"pid": "x", "doing": "BACKUP"}', b'{"pid": 1, "doing": "?"}', b"\xff"):
        with alone(path, Doing.BACKUP):
            path.write_bytes(content)
            with pytest.raises(Unavailable, match="Another process works on the records"), alone(path, Doing.SWITCH):
                pass
