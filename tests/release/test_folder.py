"""The folder as the device's side: the sink's contract, a full disk, and whoever plays with the folder meanwhile."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.rig import TOP, Now, sha256_of
from tests.release.sink_contract import SinkContract, parcel_of, unsafe_parcel
from tests.store.disks import fill, small_disk
from transfer.errors import Unavailable
from transfer.model.ends import Sink
from transfer.model.names import safe_name
from transfer.release.folder import FolderBoard, FolderRecaller, FolderSink
from transfer.store import rename


class TestFolderSink(SinkContract):
    def sink(self, place: Path) -> Sink:
        return FolderSink(place, clock=Now())

    def everything(self, place: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in place.iterdir()}


class TestFolderSinkWithoutRenameat2(TestFolderSink):
    """The same contract where the kernel or the file system knows no rename that refuses to replace."""

    @pytest.fixture(autouse=True)
    def _old_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rename, "_RENAME_NOREPLACE", 1 << 31)  # a flag no kernel knows: EINVAL


def test_the_fallback_is_really_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links: list[object] = []
    link = os.link
    monkeypatch.setattr(rename, "_RENAME_NOREPLACE", 1 << 31)
    monkeypatch.setattr(os, "link", lambda *given, **named: (links.append(given), link(*given, **named)))
    FolderSink(tmp_path, clock=Now()).put(parcel_of(b"content"))
    assert links


def test_a_full_disk_leaves_nothing_and_the_next_put_succeeds(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        content = os.urandom(400_000)
        filler = fill(disk, leave=200_000)
        with pytest.raises(Unavailable, match="full"):
            FolderSink(disk, clock=Now()).put(parcel_of(content))
        assert [path.name for path in disk.iterdir()] == ["filler"]
        filler.unlink()
        FolderSink(disk, clock=Now()).put(parcel_of(content))
        assert (disk / "photo.jpg").read_bytes() == content


def test_the_device_may_read_what_was_put_and_nobody_else_may_write_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        FolderSink(tmp_path, clock=Now()).put(parcel_of(b"content"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "photo.jpg").stat().st_mode) == 0o644


def test_a_link_planted_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    release = tmp_path / "release"
    release.mkdir()
    (release / "part-1.tmp").symlink_to(secret)
    FolderSink(release, clock=Now()).put(parcel_of(b"content"))
    assert secret.read_bytes() == b"secret"
    assert (release / "photo.jpg").read_bytes() == b"content"
    assert not (release / "photo.jpg").is_symlink()


def test_a_folder_planted_under_the_temporary_name_puts_it_off(tmp_path: Path) -> None:
    (tmp_path / "part-1.tmp").mkdir()
    with pytest.raises(Unavailable):
        FolderSink(tmp_path, clock=Now()).put(parcel_of(b"content"))
    assert not (tmp_path / "photo.jpg").exists()


@pytest.mark.parametrize("planted", ["link", "folder", "file"])
def test_whatever_stands_under_the_final_name_stays_as_it_is(tmp_path: Path, planted: str) -> None:
    release = tmp_path / "release"
    release.mkdir()
    name = release / "photo.jpg"
    if planted == "link":
        name.symlink_to(tmp_path / "nowhere")
    elif planted == "folder":
        name.mkdir()
    else:
        name.write_bytes(b"planted")
    with pytest.raises(Unavailable, match="did not put there"):
        FolderSink(release, clock=Now()).put(parcel_of(b"content"))
    assert [path.name for path in release.iterdir()] == ["photo.jpg"]
    assert not (tmp_path / "nowhere").exists()


def test_a_temporary_exchanged_by_the_device_is_not_taken_for_ours(tmp_path: Path) -> None:
    class Exchanging(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            if not chunk:
                os.rename(tmp_path / "part-1.tmp", tmp_path / "away")
                (tmp_path / "part-1.tmp").write_bytes(b"planted")
            return chunk

    with pytest.raises(Unavailable, match="exchanged"):
        FolderSink(tmp_path, clock=Now()).put(unsafe_parcel(Exchanging(b"content"), sha256_of(b"content"), 7))


def test_a_recall_says_whether_it_was_there(tmp_path: Path) -> None:
    recaller = FolderRecaller(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"content")
    assert recaller.recall(safe_name("photo.jpg")) is True
    assert recaller.recall(safe_name("photo.jpg")) is False
    (tmp_path / "photo.jpg").mkdir()
    assert recaller.recall(safe_name("photo.jpg")) is False
    assert (tmp_path / "photo.jpg").is_dir()


def test_the_board_replaces_its_one_name(tmp_path: Path) -> None:
    board = FolderBoard(tmp_path)
    for content in (b"one", b"two"):
        board.post(safe_name("manifest.note"), safe_name("part-1.tmp"), content)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"manifest.note": b"two"}


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="release folder"):
        FolderSink(tmp_path / "gone", clock=Now()).put(parcel_of(b"content"))


CONFINED = """
import io, sys
from pathlib import Path
from tests.release.rig import Now, sha256_of
from tests.release.sink_contract import parcel_of
from transfer.model.names import safe_name
from transfer.release.folder import FolderBoard, FolderRecaller, FolderSink
from transfer.sandbox.profiles import GatewayPaths, confine_gateway
release = Path(sys.argv[1])
confine_gateway(GatewayPaths(staging=(), readable=(), owned=(), release=release))
receipt = FolderSink(release, clock=Now()).put(parcel_of(b"content"))
for name in ("one", "two"):
    FolderBoard(release).post(safe_name("manifest.note"), safe_name("part-2.tmp"), name.encode())
FolderSink(release, clock=Now()).put(parcel_of(b"gone", name="gone.jpg"))
assert FolderRecaller(release).recall(safe_name("gone.jpg"))
try:
    (release / "photo.jpg").read_bytes()
except PermissionError:
    sys.stdout.write("written, not read")
"""


def test_all_of_it_works_where_the_kernel_forbids_reading(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, str(tmp_path)], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.stdout == "written, not read", done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "photo.jpg": b"content",
        "manifest.note": b"two",
    }
