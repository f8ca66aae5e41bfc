"""The local folder as a source: the contract, and what only a local folder can be attacked with."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intake.source_contract import SourceContract, seen
from transfer.errors import Unavailable
from transfer.intake.folder import MAX_DEPTH, FolderRetirer, FolderSource, FolderWatcher, Happening, Notice
from transfer.model.findings import Code
from transfer.model.identifiers import PersonId, SourceId
from transfer.model.states import Kind


class FolderStage:
    """A staging folder on the disk."""

    removes_originals = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = FolderSource(source=SourceId("sam"), submitter=PersonId("u_" + "0" * 32), root=root)
        self.retirer = FolderRetirer(source=SourceId("sam"), root=root)

    def at(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self.root), path)

    def put(self, path: bytes, content: bytes) -> None:
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        temporary = os.path.join(os.fsencode(self.root.parent), b"saving")
        with open(temporary, "wb") as stream:
            stream.write(content)
        os.rename(temporary, self.at(path))

    def remove(self, path: bytes) -> None:
        os.unlink(self.at(path))

    def names_it_can_have(self, names: list[bytes]) -> list[bytes]:
        return names

    def plant(self, kind: Kind, path: bytes) -> bool:
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        match kind:
            case Kind.SYMLINK:
                os.symlink(b"/etc/passwd", self.at(path))
            case Kind.FIFO:
                os.mkfifo(self.at(path))
            case Kind.SOCKET:
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(self.at(path))
            case Kind.DEVICE:
                try:
                    os.mknod(self.at(path), 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero: endless if it is opened
                except PermissionError:
                    return False
            case _:
                return False
        return True


@pytest.fixture
def stage(tmp_path: Path) -> FolderStage:
    (tmp_path / "staging").mkdir()
    return FolderStage(tmp_path / "staging")


class TestFolder(SourceContract):
    """The local folder passes the whole suite."""


def test_a_linked_folder_is_not_entered(stage: FolderStage, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("secret")
    (stage.root / "open-day").symlink_to(elsewhere)
    assert [(there.path, there.kind) for there in stage.source.sightings()] == [(b"open-day", Kind.SYMLINK)]
    assert stage.source.observe(b"open-day/secret.txt") is None


def test_a_folder_exchanged_for_a_link_after_the_look_is_not_followed(stage: FolderStage, tmp_path: Path) -> None:
    stage.put(b"open-day/x", b"ours")
    there = seen(stage, b"open-day/x")
    (stage.root / "open-day").rename(tmp_path / "moved")
    (stage.root / "open-day").symlink_to(tmp_path / "moved")
    with pytest.raises(Unavailable):
        stage.source.open(there)
    assert stage.retirer.retire(there) is False
    assert (tmp_path / "moved" / "x").exists()


def test_links_are_counted_and_holes_are_seen(stage: FolderStage) -> None:
    stage.put(b"open-day/x", b"x" * 10_000)
    os.link(stage.at(b"open-day/x"), stage.at(b"open-day/y"))
    assert {there.links for there in stage.source.sightings()} == {2}
    with open(stage.at(b"open-day/hole"), "wb") as stream:
        stream.truncate(1 << 40)
    hole = seen(stage, b"open-day/hole")
    assert (hole.size, hole.allocated) == (1 << 40, 0)


def test_a_file_swapped_for_a_fifo_at_the_last_moment_blocks_nobody(
    stage: FolderStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.put(b"open-day/x", b"x")
    there = seen(stage, b"open-day/x")
    really_open = os.open

    def swap_then_open(path: object, flags: int, *arguments: object, **more: object) -> int:
        if path == b"x":
            stage.remove(b"open-day/x")
            os.mkfifo(stage.at(b"open-day/x"))
        return really_open(path, flags, *arguments, **more)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(os, "open", swap_then_open)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="no longer"):
        stage.source.open(there)
    assert time.monotonic() - begun < 2


def test_deeper_than_anybody_needs_is_told_of_and_not_entered(stage: FolderStage) -> None:
    deep = b"/".join([b"d"] * (MAX_DEPTH + 3)) + b"/x"
    stage.put(deep, b"x")
    (there,) = stage.source.sightings()
    assert (there.kind, there.path) == (Kind.FOLDER, b"/".join([b"d"] * (MAX_DEPTH + 1)))
    stage.put(b"/".join([b"e"] * MAX_DEPTH) + b"/x", b"x")
    assert {there.kind for there in stage.source.sightings()} == {Kind.FOLDER, Kind.FILE}


def test_a_missing_staging_folder_is_unavailable(stage: FolderStage) -> None:
    stage.put(b"open-day/x", b"x")
    there = seen(stage, b"open-day/x")
    shutil.rmtree(stage.root)
    with pytest.raises(Unavailable):
        list(stage.source.sightings())
    with pytest.raises(Unavailable):
        stage.source.observe(b"open-day/x")
    with pytest.raises(Unavailable):
        stage.source.open(there)
    with pytest.raises(Unavailable):
        stage.retirer.retire(there)
    with pytest.raises(Unavailable):
        FolderWatcher(stage.root, tell=lambda _: None).start()


UNPRIVILEGED = """if True:
    import os, sys
    from pathlib import Path
    from transfer.errors import Refusal, Unavailable
    from transfer.intake.folder import FolderRetirer, FolderSource
    os.setgid(65534); os.setuid(65534)
    root = Path(sys.argv[1])
    source = FolderSource(source="sam", submitter="u", root=root)
    print(sorted((there.path, there.kind.value) for there in source.sightings()))
    try:
        source.open(source.observe(b"open-day/theirs.jpg"))
    except Refusal as refusal:
        print(refusal.code)
    try:
        FolderRetirer(source="sam", root=root).retire(source.observe(b"open-day/theirs.jpg"))
    except Unavailable as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_what_may_not_be_read_is_told_of(stage: FolderStage, tmp_path: Path) -> None:
    stage.put(b"open-day/theirs.jpg", b"x")
    os.chmod(stage.at(b"open-day/theirs.jpg"), 0o600)
    stage.put(b"closed/x.jpg", b"x")
    os.chmod(stage.at(b"closed"), 0o700)
    opened = [tmp_path, *[parent for parent in tmp_path.parents if not parent.stat().st_mode & 0o005]]
    modes = {folder: folder.stat().st_mode for folder in opened}
    try:
        for folder in opened:
            folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(stage.root)],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)
    assert "[(b'closed', 'folder'), (b'open-day/theirs.jpg', 'file')]" in done.stdout, done.stderr
    assert Code.UNREADABLE in done.stdout
    assert "Permission denied" in done.stdout


class Hearing:
    """Collects what a watcher tells."""

    def __init__(self, root: Path) -> None:
        self.notices: queue.Queue[Notice] = queue.Queue()
        self.watcher = FolderWatcher(root, tell=self.notices.put)

    def until(self, happening: Happening, path: bytes, to: bytes = b"", *, seconds: float = 5) -> list[Notice]:
        """Everything told up to and including this notice."""
        told: list[Notice] = []
        end = time.monotonic() + seconds
        while Notice(happening, path, to) not in told:
            told.append(self.notices.get(timeout=max(0.01, end - time.monotonic())))
        return told


@pytest.fixture
def hearing(stage: FolderStage) -> Iterator[Hearing]:
    hears = Hearing(stage.root)
    os.makedirs(stage.at(b"open-day"))
    hears.watcher.start()
    yield hears
    hears.watcher.stop()


def test_a_closed_file_is_told_of_at_once(stage: FolderStage, hearing: Hearing) -> None:
    begun = time.monotonic()
    with open(stage.at(b"open-day/\xff.jpg"), "wb") as stream:
        stream.write(b"x")
    told = hearing.until(Happening.CLOSED, b"open-day/\xff.jpg")
    assert time.monotonic() - begun < 1
    assert told[0] == Notice(Happening.CHANGED, b"open-day/\xff.jpg")


def test_a_new_folder_is_watched_too(stage: FolderStage, hearing: Hearing) -> None:
    os.makedirs(stage.at(b"new/post"))
    time.sleep(0.2)
    with open(stage.at(b"new/post/x"), "wb") as stream:
        stream.write(b"x")
    hearing.until(Happening.CLOSED, b"new/post/x")


def test_moves_and_removals_are_told_of(stage: FolderStage, hearing: Hearing) -> None:
    with open(stage.at(b"open-day/x.part"), "wb") as stream:
        stream.write(b"x")
    os.rename(stage.at(b"open-day/x.part"), stage.at(b"open-day/x"))
    hearing.until(Happening.MOVED, b"open-day/x.part", b"open-day/x")
    stage.remove(b"open-day/x")
    hearing.until(Happening.GONE, b"open-day/x")


def test_our_own_reading_is_not_told_of(stage: FolderStage, hearing: Hearing) -> None:
    with open(stage.at(b"open-day/x"), "wb") as stream:
        stream.write(b"x")
    hearing.until(Happening.CLOSED, b"open-day/x")
    with stage.source.open(seen(stage, b"open-day/x")) as stream:
        stream.read()
    list(stage.source.sightings())
    with pytest.raises(queue.Empty):
        hearing.notices.get(timeout=0.3)


def test_a_watcher_tells_when_it_watches_no_longer(stage: FolderStage, hearing: Hearing) -> None:
    assert hearing.watcher.alive
    shutil.rmtree(stage.root)
    end = time.monotonic() + 5
    while hearing.watcher.alive and time.monotonic() < end:
        time.sleep(0.01)
    assert not hearing.watcher.alive
    hearing.watcher.stop()
    os.makedirs(stage.at(b"open-day"))
    hearing.watcher.start()
    assert hearing.watcher.alive
    with open(stage.at(b"open-day/x"), "wb") as stream:
        stream.write(b"x")
    hearing.until(Happening.CLOSED, b"open-day/x")


def test_stopping_twice_is_no_error_and_leaves_no_thread(stage: FolderStage) -> None:
    before = threading.active_count()
    watcher = FolderWatcher(stage.root, tell=lambda _: None)
    watcher.start()
    watcher.stop()
    watcher.stop()
    assert not watcher.alive
    assert threading.active_count() <= before + 1, "watchdog keeps one reading thread for all"
