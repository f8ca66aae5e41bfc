"""The device's side as a folder in hostile hands: nothing is followed, nothing but regular files is opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release.rig import TOP, sha256_of
from tests.store.disks import small_disk
from transfer.errors import Misuse, Unavailable
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.perimeter import AsideName, FolderPerimeter, parse_aside_name
from transfer.return_guard.recognise import Sight, name_digest

LIMIT = 1 << 20
LOCAL_KINDS = [kind for kind in Kind if kind not in {Kind.SHORTCUT, Kind.PACKAGE}]  # the others are a drive's


class Place:
    def __init__(self, top: Path) -> None:
        self.release, self.aside = top / "release", top / "aside"
        self.release.mkdir()
        self.aside.mkdir()
        self.perimeter = FolderPerimeter(release=self.release, aside=self.aside)
        self._count = 0

    def move(self, name: bytes, condemned: Sight | None = None) -> tuple[AsideName, Sight | None]:
        self._count += 1
        target = AsideName(1_700_000_000_000, f"{self._count:016x}", name_digest(name))
        sight = condemned or self.perimeter.look(name)
        assert sight is not None
        return target, self.perimeter.move_aside(name, target, condemned=sight)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def plant(at: Path, kind: Kind) -> None:
    match kind:
        case Kind.FILE:
            at.write_bytes(b"planted")
        case Kind.FOLDER:
            (at / "deep" / "er").mkdir(parents=True)
        case Kind.SYMLINK:
            at.symlink_to("/etc/passwd")
        case Kind.FIFO:
            os.mkfifo(at)
        case Kind.SOCKET:
            with socket.socket(socket.AF_UNIX) as listener:
                os.chdir(at.parent)
                listener.bind(at.name)
        case Kind.DEVICE:
            os.mknod(at, 0o020600, os.makedev(1, 3))


@pytest.mark.parametrize("kind", LOCAL_KINDS)
def test_anything_is_moved_whole_and_only_files_are_hashed(
    place: Place, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.release)
    plant(place.release / "planted", kind)
    target, taken = place.move(b"planted")
    assert taken is not None
    assert taken.kind is kind
    assert list(place.release.iterdir()) == []
    assert [path.name for path in place.aside.iterdir()] == [target.render()]
    assert list(place.perimeter.unreported()) == [target]
    digest = place.perimeter.digest_aside(target, limit=LIMIT)
    assert (digest is not None and digest.sha256 == sha256_of(b"planted")) is (kind is Kind.FILE)
    place.perimeter.mark_reported(target)
    assert list(place.perimeter.unreported()) == []
    assert len(list(place.aside.iterdir())) == 1


@pytest.mark.parametrize("name", [b"\xff\xfe\x80", b"a" * 255, b"-rf", b"..x", b"\n", "\u202egpj.exe".encode(), b" "])
def test_any_name_is_moved_and_never_used(place: Place, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(place.release) + b"/" + name)).write_bytes(b"planted")
    assert list(place.perimeter.names()) == [name]
    target, taken = place.move(name)
    assert taken is not None
    assert [path.name for path in place.aside.iterdir()] == [target.render()]
    assert target.name_sha256 == name_digest(name)


def test_links_planted_in_the_folder_aside_lead_nowhere(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    target = AsideName(1_700_000_000_000, "0" * 16, Sha256("11" * 32))
    (place.aside / target.render()).symlink_to(secret)
    assert place.perimeter.digest_aside(target, limit=LIMIT) is None
    (place.release / "planted").write_bytes(b"planted")
    sight = place.perimeter.look(b"planted")
    assert sight is not None
    with pytest.raises(FileExistsError):
        place.perimeter.move_aside(b"planted", target, condemned=sight)
    assert secret.read_bytes() == b"secret"


def test_what_was_exchanged_at_the_last_moment_is_put_back_and_judged_anew(place: Place) -> None:
    (place.release / "photo.jpg").write_bytes(b"condemned")
    condemned = place.perimeter.look(b"photo.jpg")
    (place.release / "new").write_bytes(b"genuine, quickly renamed over it")
    (place.release / "new").rename(place.release / "photo.jpg")
    _target, taken = place.move(b"photo.jpg", condemned)
    assert taken is None
    assert (place.release / "photo.jpg").read_bytes() == b"genuine, quickly renamed over it"
    assert list(place.aside.iterdir()) == []


def test_what_has_gone_is_not_moved(place: Place) -> None:
    (place.release / "planted").write_bytes(b"x")
    sight = place.perimeter.look(b"planted")
    (place.release / "planted").unlink()
    assert place.move(b"planted", sight)[1] is None
    assert place.perimeter.look(b"planted") is None
    assert place.perimeter.digest(b"planted", limit=LIMIT) is None


def test_a_file_beyond_the_limit_is_not_read(place: Place) -> None:
    with (place.release / "huge").open("wb") as file:
        file.truncate(1 << 43)
    digest = place.perimeter.digest(b"huge", limit=LIMIT)
    assert digest is not None
    assert (digest.sha256, digest.identity.size) == (None, 1 << 43)


def test_the_folder_must_stay_the_folder(place: Place) -> None:
    place.perimeter.require_in_place()
    place.release.rename(place.release.parent / "elsewhere")
    with pytest.raises(Unavailable, match="gone"):
        place.perimeter.require_in_place()
    place.release.symlink_to(place.release.parent / "elsewhere")
    with pytest.raises(Unavailable, match="Another folder"):
        place.perimeter.require_in_place()


def test_folders_that_cannot_be_guarded_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    with pytest.raises(Misuse, match="cannot open"):
        FolderPerimeter(release=tmp_path / "release", aside=tmp_path / "nowhere")
    with small_disk(tmp_path / "disk", kibibytes=64) as disk, pytest.raises(Misuse, match="one file system"):
        FolderPerimeter(release=tmp_path / "release", aside=disk)


AS_ANOTHER_USER = """
import os, sys
from pathlib import Path
from transfer.return_guard.perimeter import AsideName, FolderPerimeter, parse_aside_name
from transfer.return_guard.recognise import name_digest
os.setgroups([]); os.setgid(65534); os.setuid(65534)
top = Path(sys.argv[1])
(top / "release").mkdir(); (top / "aside").mkdir()
(top / "release" / "file").write_bytes(b"planted"); (top / "release" / "file").chmod(0)
(top / "release" / "folder").mkdir(); (top / "release" / "folder").chmod(0)
perimeter = FolderPerimeter(release=top / "release", aside=top / "aside")
for number, name in enumerate((b"file", b"folder")):
    target = AsideName(1_700_000_000_000, f"{number:016x}", name_digest(name))
    taken = perimeter.move_aside(name, target, condemned=perimeter.look(name))
    digest = perimeter.digest_aside(target, limit=100)
    sys.stdout.write(f"{taken.kind.value} {digest.sha256 if digest else None}\\n")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_modes_that_deny_everything_do_not_help(tmp_path: Path) -> None:
    for folder in tmp_path.parents:
        if folder.name.startswith(("pytest-", "popen-")):  # what pytest made, one more with several processes
            folder.chmod(0o755)
    tmp_path.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, str(tmp_path)], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"file {sha256_of(b'planted')}", "folder None"], done.stderr


ASIDE_NAMES = st.builds(
    AsideName,
    st.integers(0, 253_402_300_799_999),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.binary(min_size=32, max_size=32).map(lambda raw: Sha256(raw.hex())),
)


@given(ASIDE_NAMES, st.booleans())
def test_names_aside_come_back_as_they_were_and_only_as_what_they_are(name: AsideName, reported: bool) -> None:
    text = name.render(reported=reported)
    assert parse_aside_name(text, reported=reported) == name
    assert parse_aside_name(text, reported=not reported) is None


@given(st.text() | st.from_regex(r"[0-9]{12,16}-[0-9a-f]{16}-[0-9a-f]{64}\.(new|done|x)"), st.booleans())
def test_any_other_name_is_none_of_the_guards(text: str, reported: bool) -> None:
    parsed = parse_aside_name(text, reported=reported)
    assert parsed is None or parsed.render(reported=reported) == text
