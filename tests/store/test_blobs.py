"""Blobs: bytes go in once, under the digest that we computed, and only whole ones are ever seen."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import pieces
from tests.store.disks import fill, make_read_only, small_disk
from transfer.errors import Misuse, Refusal, Tampered, Unavailable
from transfer.model.findings import Code
from transfer.model.identifiers import Sha256
from transfer.model.media import Format
from transfer.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.prepare()
    return made


def sha256(content: bytes) -> Sha256:
    return Sha256(hashlib.sha256(content).hexdigest())


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_spooled_bytes_come_back(tmp_path: Path, blobs: Blobs, size: int) -> None:
    content = os.urandom(size)
    seen: list[int] = []
    raw = pieces.spool(blobs, io.BytesIO(content), limit=size, progress=seen.append)
    assert (raw.sha256, raw.size) == (sha256(content), size)
    with blobs.open_raw(raw.sha256) as stream:
        assert stream.read() == content
    assert files(tmp_path) == [f"raw/{raw.sha256[:2]}/{raw.sha256}"]
    assert (tmp_path / files(tmp_path)[0]).stat().st_mode & 0o777 == 0o600
    assert seen == sorted(seen)
    assert not size or seen[-1] == size


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=3000), max_size=6), st.integers(0, 9000))
def test_any_way_of_reading_gives_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], limit: int
) -> None:
    class Dribble(io.RawIOBase):
        """Gives what it has in pieces of any size, as pipes and network folders do."""

        def __init__(self) -> None:
            self.left = [part for part in parts if part]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0) if self.left else b""

    root = tmp_path_factory.mktemp("store")
    blobs = Blobs(root)
    blobs.prepare()
    content = b"".join(parts)
    source = cast("BinaryIO", Dribble())
    if len(content) > limit:
        with pytest.raises(Refusal) as caught:
            pieces.spool(blobs, source, limit=limit)
        assert caught.value.code == Code.TOO_LARGE
        assert files(root) == []
        assert blobs.hash_only(io.BytesIO(content), limit=limit) is None
    else:
        assert pieces.spool(blobs, source, limit=limit).sha256 == sha256(content)
        assert blobs.hash_only(io.BytesIO(content), limit=limit) == (sha256(content), len(content))


def test_the_same_bytes_are_kept_once(tmp_path: Path, blobs: Blobs) -> None:
    one = pieces.spool(blobs, io.BytesIO(b"same"), limit=9)
    two = pieces.spool(blobs, io.BytesIO(b"same"), limit=9)
    assert one == two
    assert len(files(tmp_path)) == 1
    assert blobs.has_raw(one.sha256)
    assert not blobs.has_clean(one.sha256), "a raw blob is no clean one"
    assert blobs.remove_raw(one.sha256)
    assert not blobs.remove_raw(one.sha256)
    with pytest.raises(Tampered, match="missing"):
        blobs.open_raw(one.sha256)


def test_what_is_not_kept_is_gone(tmp_path: Path, blobs: Blobs) -> None:
    with blobs.incoming() as incoming:
        incoming.copy(io.BytesIO(b"changed meanwhile"), limit=99)
    with pytest.raises(Unavailable), blobs.incoming() as incoming:
        incoming.keep()
    with blobs.draft() as draft:
        os.write(draft.descriptor, b"given up")
    assert files(tmp_path) == []


def test_no_path_is_made_of_anything_but_a_digest(blobs: Blobs) -> None:
    for name in ("../../etc/passwd", "", "A" * 64, "0" * 63):
        with pytest.raises(Misuse):
            blobs.open_raw(Sha256(name))


def test_a_draft_is_kept_under_our_own_digest(tmp_path: Path, blobs: Blobs) -> None:
    content = os.urandom(3_000_000)
    with blobs.draft() as draft:
        os.write(draft.descriptor, content)
        os.lseek(draft.descriptor, 5, os.SEEK_SET)  # where the child's position is does not matter
        with draft.reader() as stream:
            assert stream.read() == content
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(stream.fileno(), b"x")
        clean = draft.keep(Format.MP4)
    assert (clean.sha256, clean.size, clean.format) == (sha256(content), len(content), Format.MP4)
    with blobs.open_clean(clean.sha256) as stream:
        assert stream.read() == content
    assert files(tmp_path) == [f"clean/{clean.sha256[:2]}/{clean.sha256}"]
    assert blobs.remove_clean(clean.sha256)


def test_a_draft_is_not_kept_while_a_child_can_still_write(tmp_path: Path, blobs: Blobs) -> None:
    ours, theirs = socket.socketpair()
    program = """if True:
        import socket, sys
        channel = socket.socket(fileno=int(sys.argv[1]))
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        channel.send(b"k")
        channel.recv(1)
    """
    with (
        ours,
        subprocess.Popen([sys.executable, "-c", program, str(theirs.fileno())], pass_fds=[theirs.fileno()]) as child,
    ):
        theirs.close()
        with blobs.draft() as draft:
            os.write(draft.descriptor, b"made by a child")
            socket.send_fds(ours, [b"x"], [draft.descriptor])
            assert ours.recv(1) == b"k"
            with pytest.raises(Refusal) as caught:
                draft.keep(Format.JPEG)
            assert caught.value.code == Code.SANDBOX_PROTOCOL
            assert files(tmp_path / "clean") == [path.name for path in (tmp_path / "clean").iterdir()]
            ours.send(b"go")
            assert child.wait(10) == 0
            assert draft.keep(Format.JPEG).sha256 == sha256(b"made by a child")


def test_a_child_may_let_go_a_moment_after_its_answer(blobs: Blobs) -> None:
    with blobs.draft() as draft:
        os.write(draft.descriptor, b"late")
        late = os.dup(draft.descriptor)

        def let_go() -> None:
            time.sleep(0.1)
            os.close(late)

        thread = threading.Thread(target=let_go)
        thread.start()
        assert draft.keep(Format.JPEG).sha256 == sha256(b"late")
        thread.join()


def test_temporaries_of_a_crash_are_swept_and_nothing_else(tmp_path: Path, blobs: Blobs) -> None:
    kept = pieces.spool(blobs, io.BytesIO(b"kept"), limit=9)
    program = (
        "import io,os,sys\nfrom pathlib import Path\nfrom transfer.store.blobs import Blobs\n"
        "blobs = Blobs(Path(sys.argv[1]))\n"
        "with blobs.incoming() as incoming, blobs.draft():\n"
        "    incoming.copy(io.BytesIO(b'half'), limit=9)\n    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -9
    assert len(files(tmp_path)) == 3
    assert blobs.sweep_temporaries() == 2
    assert blobs.sweep_temporaries() == 0
    with blobs.open_raw(kept.sha256) as stream:
        assert stream.read() == b"kept"


def test_a_temporary_of_a_dead_process_of_our_number_is_in_nobody_s_way(tmp_path: Path, blobs: Blobs) -> None:
    for number in range(3):
        (tmp_path / "raw" / f".part-{os.getpid()}-{number}").write_bytes(b"left")
    assert pieces.spool(blobs, io.BytesIO(b"new"), limit=9).sha256 == sha256(b"new")


def test_a_full_disk_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        blobs = Blobs(disk)
        blobs.prepare()
        filler = fill(disk, leave=100_000)
        assert blobs.free_bytes() <= 110_000
        with pytest.raises(Unavailable, match="full"):
            pieces.spool(blobs, io.BytesIO(os.urandom(500_000)), limit=1 << 20)
        assert [name for name in files(disk) if name != "filler"] == []
        filler.unlink()
        assert pieces.spool(blobs, io.BytesIO(b"x" * 500_000), limit=1 << 20).size == 500_000
        make_read_only(disk)
        with pytest.raises(Unavailable, match="read-only"):
            pieces.spool(blobs, io.BytesIO(b"more"), limit=9)


def test_a_source_that_fails_is_unavailable(blobs: Blobs) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match="reading a file"):
        pieces.spool(blobs, cast("BinaryIO", Broken()), limit=9)


def test_many_threads_at_once(tmp_path: Path, blobs: Blobs) -> None:
    def work(who: int) -> None:
        for number in range(20):
            pieces.spool(blobs, io.BytesIO(b"%d" % (number % 5)), limit=9)
            with blobs.draft() as draft:
                os.write(draft.descriptor, b"%d-%d" % (who, number))
                draft.keep(Format.PNG)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([name for name in files(tmp_path) if name.startswith("raw/")]) == 5
    assert len([name for name in files(tmp_path) if name.startswith("clean/")]) == 80
    assert blobs.sweep_temporaries() == 0


def test_shelves_may_be_there_before_any_blob_is(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.prepare()
    raw = pieces.spool(blobs, io.BytesIO(b"first"), limit=5)
    blobs.prepare(shelves=True)
    for folder in ("raw", "clean"):
        shelves = list((tmp_path / folder).iterdir())
        assert sorted(shelf.name for shelf in shelves) == [f"{number:02x}" for number in range(256)]
        assert {shelf.stat().st_mode & 0o777 for shelf in shelves} == {0o700}
    with blobs.open_raw(raw.sha256) as stream:
        assert stream.read() == b"first"
