"""A real guard in a process of its own, and somebody on the device's side who means harm."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.release.rig import DEVICE, Guard, Side, eventually, guarded, item_id, sha256_of
from tests.return_guard.test_perimeter import LOCAL_KINDS, plant
from tests.store.disks import small_disk
from transfer.errors import Unavailable
from transfer.model.states import Kind
from transfer.release.send import restore, send
from transfer.return_guard.recognise import name_digest
from transfer.store.releases import ReleaseState


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Side, Guard]]:
    with guarded(tmp_path) as both:
        yield both


def reported(side: Side, event: str, name: bytes) -> list[dict[str, Any]]:
    digest = name_digest(name)
    return [leaf for leaf in side.entries(event) if facts(leaf).get("name_sha256") == digest]


def facts(leaf: dict[str, Any]) -> dict[str, Any]:
    return dict(leaf["facts"])


@pytest.mark.parametrize("kind", LOCAL_KINDS)
def test_a_planted_thing_is_aside_within_a_second_and_in_the_log(
    watched: tuple[Side, Guard], kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, _guard = watched
    monkeypatch.chdir(side.top)
    plant(side.top / "planted.jpg", kind)
    (side.top / "planted.jpg").rename(side.release / "planted.jpg")
    eventually(lambda: not os.path.lexists(side.release / "planted.jpg"), within=1.0)
    eventually(lambda: reported(side, "return.refused", b"planted.jpg"))
    (entry,) = reported(side, "return.refused", b"planted.jpg")
    assert facts(entry)["clauses"] == ["G5"]
    assert facts(entry)["kind"] == kind.value
    assert facts(entry)["moved_aside"] is True
    expected = {"bytes": 7, "sha256": sha256_of(b"planted")} if kind is Kind.FILE else None
    assert entry.get("file") == expected
    assert "planted" not in str(entry)
    eventually(lambda: [path.suffix for path in side.aside.iterdir()] == [".done"])


def test_names_that_are_no_text_or_as_long_as_can_be(watched: tuple[Side, Guard]) -> None:
    side, _guard = watched
    names = [b"\xff\xfe.jpg", b"n" * 255, "\u202egpj.exe".encode(), b"-rf", b".hidden", b"a\nb", b"MANIFEST.NOTE"]
    for name in names:
        Path(os.fsdecode(os.fsencode(side.release) + b"/" + name)).write_bytes(name)
    for name in names:
        eventually(lambda name=name: reported(side, "return.refused", name))  # type: ignore[misc]
        (entry,) = reported(side, "return.refused", name)
        assert entry["file"] == {"bytes": len(name), "sha256": sha256_of(name)}
    assert os.listdir(side.release) == []


def test_a_file_that_is_still_being_written_is_taken_at_once_and_hashed_when_it_rests(
    watched: tuple[Side, Guard],
) -> None:
    side, _guard = watched
    with (side.release / "slow.bin").open("wb") as file:
        for _ in range(6):
            file.write(b"x" * 1000)
            file.flush()
            time.sleep(0.05)
        assert not (side.release / "slow.bin").exists()
    eventually(lambda: reported(side, "return.refused", b"slow.bin"))
    assert reported(side, "return.refused", b"slow.bin")[0]["file"] == {"bytes": 6000, "sha256": sha256_of(b"x" * 6000)}


def test_a_release_that_comes_back_under_another_name_says_whose_bytes_it_has(watched: tuple[Side, Guard]) -> None:
    side, _guard = watched
    send(side.approved(1, b"a photo"), dispatch=side.dispatch, device=DEVICE)
    os.link(side.release / "photo-1.jpg", side.release / "copy.jpg")
    eventually(lambda: reported(side, "return.refused", b"copy.jpg"))
    assert facts(reported(side, "return.refused", b"copy.jpg")[0])["same_bytes_as"] == item_id(1)
    side.post.sweep(10)
    assert side.released() == {"photo-1.jpg": b"a photo"}
    assert side.entries("release.altered") == []


@pytest.mark.parametrize(
    "how", ["rewritten", "grown", "same size, old times", "memory map", "exchanged", "link", "folder"]
)
def test_an_altered_release_is_moved_aside_recorded_and_put_back(watched: tuple[Side, Guard], how: str) -> None:
    side, _guard = watched
    approved = side.approved(1, b"genuine content")
    send(approved, dispatch=side.dispatch, device=DEVICE)
    side.post.sweep(10)  # it has been hashed and is trusted by now
    path = side.release / "photo-1.jpg"
    alter(path, how, side.top)
    eventually(lambda: side.entries("release.altered"), within=3)
    entry: Any = side.entries("release.altered")[0]
    assert entry["item"] == item_id(1)
    assert facts(entry)["released"] == sha256_of(b"genuine content")
    row = side.row(item_id(1))
    assert row is not None
    assert row.state is ReleaseState.ALTERED
    restore(approved, dispatch=side.dispatch)
    side.post.sweep(10)
    assert side.released() == {"photo-1.jpg": b"genuine content"}
    assert len(side.entries("release.altered")) == len(side.entries("release.restored")) == 1
    assert side.entries("release.removed") == side.entries("return.refused") == []


def test_a_memory_map_kept_open_does_not_hide_what_is_written_through_it(watched: tuple[Side, Guard]) -> None:
    side, _guard = watched
    send(side.approved(1, b"genuine content"), dispatch=side.dispatch, device=DEVICE)
    with (side.release / "photo-1.jpg").open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[0:1] = b"g"  # the page is dirty now, the bytes are still right
        side.post.sweep(10)
        assert side.entries("release.altered") == []
        view[0:1] = b"X"
        eventually(lambda: side.entries("release.altered"), within=3)


def alter(path: Path, how: str, top: Path) -> None:
    before = path.stat()
    match how:
        case "rewritten":
            path.write_bytes(b"something else")
        case "grown":
            with path.open("ab") as file:
                file.write(b"!")
        case "same size, old times":
            with path.open("r+b") as file:
                file.write(b"G")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "memory map":
            with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
                view[0:1] = b"M"
        case "exchanged":
            (top / "other").write_bytes(b"GENUINE CONTENT")
            (top / "other").rename(path)
        case "link":
            path.unlink()
            path.symlink_to("/etc/passwd")
        case "folder":
            path.unlink()
            path.mkdir()


def test_a_removal_by_the_device_is_recorded_once_and_what_comes_after_is_foreign(watched: tuple[Side, Guard]) -> None:
    side, guard = watched
    send(side.approved(1, b"a photo"), dispatch=side.dispatch, device=DEVICE)
    assert side.keeper.renew() == 1
    (side.release / "photo-1.jpg").unlink()
    eventually(lambda: side.entries("release.removed"))
    assert side.keeper.renew() == 2
    assert b"photo-1.jpg" not in (side.release / "manifest.note").read_bytes()
    (side.release / "photo-1.jpg").write_bytes(b"a photo")
    eventually(lambda: reported(side, "return.refused", b"photo-1.jpg"))
    guard.kill()
    again = Guard(side)
    try:
        eventually(lambda: not side.post.alive)
        assert side.post.wait_until_alive(15)
        side.post.sweep(10)
    finally:
        again.kill()
    assert len(side.entries("release.removed")) == 1


@pytest.mark.parametrize("how", ["altered", "removed"])
def test_the_manifest_is_published_again(watched: tuple[Side, Guard], how: str) -> None:
    side, _guard = watched
    assert side.keeper.renew() == 1
    side.post.sweep(10)
    path = side.release / "manifest.note"
    genuine = path.read_bytes()
    path.unlink() if how == "removed" else path.write_bytes(b"forged")
    eventually(lambda: side.entries(f"release.{how}"))
    assert side.keeper.renew() == 1
    side.post.sweep(10)
    assert path.read_bytes() == genuine
    assert side.keeper.renew() is None


def test_a_flood_is_cleared_with_the_guard_alive_and_everything_in_the_log(watched: tuple[Side, Guard]) -> None:
    side, _guard = watched
    for number in range(700):
        (side.release / f"flood-{number}").touch()
    eventually(lambda: os.listdir(side.release) == [], within=5)
    assert side.post.alive
    side.post.sweep(30)
    assert len(side.entries("return.refused")) == 700


def test_what_cannot_be_moved_is_recorded_all_the_same_and_moved_when_it_can_be(tmp_path: Path) -> None:
    side = Side(tmp_path)
    with small_disk(side.release / "mounted", kibibytes=16):
        guard = Guard(side)
        assert side.post.wait_until_alive(15)
        eventually(lambda: side.entries("return.refused"))
        time.sleep(1)
        (entry,) = side.entries("return.refused")
        assert facts(entry)["moved_aside"] is False
        assert side.post.alive
    eventually(lambda: not (side.release / "mounted").exists())
    eventually(lambda: len(side.entries("return.refused")) == 2)
    assert facts(side.entries("return.refused")[1])["moved_aside"] is True
    guard.kill()
    side.close()


def test_an_exchanged_release_folder_ends_the_guard(watched: tuple[Side, Guard]) -> None:
    side, guard = watched
    side.release.rename(side.top / "elsewhere")
    side.release.mkdir()
    assert "Another folder stands at" in guard.words()
    eventually(lambda: not side.post.alive)
    with pytest.raises(Unavailable):
        send(side.approved(1, b"a photo"), dispatch=side.dispatch, device=DEVICE)


@pytest.mark.slow
def test_killed_between_moving_and_telling_an_alteration_is_not_taken_for_a_removal(
    watched: tuple[Side, Guard],
) -> None:
    side, guard = watched
    approved = side.approved(1, b"genuine content")
    send(approved, dispatch=side.dispatch, device=DEVICE)
    os.truncate(side.release / "photo-1.jpg", 1 << 30)  # hashing it takes longer than an absence is waited for
    eventually(lambda: list(side.aside.iterdir()))
    guard.kill()
    again = Guard(side)
    try:
        eventually(lambda: not side.post.alive)
        assert side.post.wait_until_alive(15)
        eventually(lambda: side.entries("release.altered"), within=15)
        restore(approved, dispatch=side.dispatch)
        side.post.sweep(10)
    finally:
        again.kill()
    assert side.entries("release.removed") == []
    assert side.released() == {"photo-1.jpg": b"genuine content"}


def test_the_guard_goes_on_while_the_gateway_is_gone_and_tells_it_afterwards(tmp_path: Path) -> None:
    with guarded(tmp_path) as (side, _guard):
        send(side.approved(1, b"a photo"), dispatch=side.dispatch, device=DEVICE)
        side.close()
        (side.release / "planted").write_bytes(b"planted")
        eventually(lambda: not (side.release / "planted").exists(), within=1.0)
        second = Side(tmp_path)
        try:
            assert second.post.wait_until_alive(5)
            second.post.sweep(10)
            (entry,) = second.entries("return.refused")
            assert entry["file"] == {"bytes": 7, "sha256": sha256_of(b"planted")}
            assert second.released() == {"photo-1.jpg": b"a photo"}
        finally:
            second.close()


def test_on_a_full_disk_it_is_still_moved_and_recorded(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        (tmp_path / "top").mkdir()
        for name in ("release", "release-aside"):
            (disk / name).mkdir()
            (tmp_path / "top" / name).symlink_to(disk / name)
        side = Side(tmp_path / "top")
        side.release, side.aside = disk / "release", disk / "release-aside"
        guard = Guard(side)
        try:
            assert side.post.wait_until_alive(15)
            with contextlib.suppress(OSError), (side.release / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4096)
            eventually(lambda: side.entries("return.refused"))
            assert list(side.release.iterdir()) == []
        finally:
            guard.kill()
            side.close()


@pytest.mark.slow
def test_killed_at_random_nothing_planted_is_missed_or_told_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    side = Side(tmp_path)
    approved = side.approved(1, b"genuine")
    guard = Guard(side)
    stop = threading.Event()
    planted: list[bytes] = []

    def attack() -> None:
        number = 0
        while not stop.is_set():
            name = f"planted-{number}"
            (side.release / name).write_bytes(name.encode())
            planted.append(name.encode())
            number += 1
            stop.wait(0.01)

    try:
        assert side.post.wait_until_alive(15)
        send(approved, dispatch=side.dispatch, device=DEVICE)
        attacker = threading.Thread(target=attack)
        attacker.start()
        for _ in range(8):
            time.sleep(chance.uniform(0.0, 0.6))
            guard.kill()
            guard = Guard(side)
        stop.set()
        attacker.join()
        eventually(lambda: side.post.alive, within=15)
        side.post.sweep(30)
    finally:
        stop.set()
        guard.kill()
        side.close()
    side = Side(tmp_path)
    entries = side.entries("return.refused")
    told = sorted(str(facts(entry)["name_sha256"]) for entry in entries)
    assert told == sorted(name_digest(name) for name in planted)
    for entry in entries:
        assert entry["file"]
    assert side.released() == {"photo-1.jpg": b"genuine"}
    assert side.entries("release.altered") == side.entries("release.removed") == []
    side.close()
