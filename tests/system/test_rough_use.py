"""Files as they really come: badly named, half copied, renamed, touched, replaced, taken away, three hundred at once.

One gateway runs for all of these tests; each has a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import Place, copy_of, running, wait_for
from transfer.model.states import State
from transfer.store.register import ItemRow


@pytest.fixture(scope="module")
def busy(template: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A workspace with a gateway at work, checked at the end."""
    place = copy_of(template, tmp_path_factory.mktemp("rough") / "w")
    with running(place) as gateway:
        yield place
        assert "alarm" not in gateway.complained()
    place.verify()
    place.check_release()
    assert place.leftovers() == []
    place.close()


@pytest.fixture
def folder(busy: Place, request: pytest.FixtureRequest) -> Path:
    """A folder for one test, which makes a post of what lies in it."""
    made = busy.drop_folder / request.node.name.replace("_", "-").removeprefix("test-")[:60]
    made.mkdir()
    return made


def of(place: Place, folder: Path) -> list[ItemRow]:
    """The items from this folder, oldest first."""
    prefix = os.fsencode(folder.relative_to(place.root / "staging")) + b"/"
    return [row for row in place.rows() if row.arrival.path.startswith(prefix)]


def decided(place: Place, folder: Path, number: int, *, within: float = 15) -> list[ItemRow]:
    """So many items from this folder, once all of them are held or refused."""

    def over() -> bool:
        rows = of(place, folder)
        return len(rows) >= number and all(row.state in {State.HELD, State.REFUSED} for row in rows)

    wait_for(over, within, f"{number} verdicts")
    time.sleep(0.7)  # one more look at the folder: nothing may come twice
    rows = of(place, folder)
    assert len(rows) == number, [(row.name.text, row.state.value) for row in rows]
    return rows


NAMES = (
    b"line\nbreak.txt",
    b"caf\xe9.txt",
    b"-rf.txt",
    b"..hidden.txt",
    b".hidden.txt",
    b"a" * 251 + b".txt",
    "é".encode() * 125 + b".txt",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe.txt".encode(),
    b"con.txt",
    b" blanks .txt",
    b"\x1b[31mred.txt",
    b"[bold]bracket.txt",
    b"$(touch hi).txt",
    b"\xff\xfe.txt",
    b"manifest.note.txt",
    b"DOUBLE..TXT",
    "zwj\N{ZERO WIDTH JOINER}.txt".encode(),
)


def test_names_of_every_kind_become_safe_ones(busy: Place, folder: Path) -> None:
    for number, name in enumerate(NAMES):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(b"Words number %d.\n" % number)
    rows = decided(busy, folder, len(NAMES))
    assert {row.state for row in rows} == {State.HELD}
    busy.approve(*(row.item for row in rows))
    wait_for(lambda: {row.state for row in of(busy, folder)} == {State.RELEASED}, 15, "the releases")
    there = os.listdir(os.fsencode(busy.release))
    for row in of(busy, folder):
        released = str(row.released_as).encode()
        assert released in there
        assert released.decode().isprintable()
        assert not released.startswith((b".", b"-", b" "))
        assert len(released) <= 200
    wait_for(lambda: os.listdir(os.fsencode(folder)) == [], 10, "the originals' end")
    told = busy.workspace.feedback / "open-day" / folder.name
    wait_for(lambda: {name[:9] for name in os.listdir(told)} == {"RELEASED "}, 10, "the feedback")
    assert len(os.listdir(told)) == len(NAMES)


def test_what_is_no_plain_file_is_refused_and_stays(busy: Place, folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    os.mknod(folder / "null.jpg", 0o020666, os.makedev(1, 3))
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "secret.txt").symlink_to("/etc/passwd")
    (folder / "around").symlink_to("..")
    (folder / "one.txt").write_bytes(b"linked\n")
    os.link(folder / "one.txt", folder / "two.txt")
    with (folder / "sparse.mp4").open("wb") as sparse:
        sparse.truncate(1 << 28)
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(folder)
        try:
            listener.bind("socket.jpg")
        finally:
            os.chdir(here)
    rows = decided(busy, folder, 9)
    assert {row.state for row in rows} == {State.REFUSED}
    codes = {
        entry["item"]: {finding["code"] for finding in entry["facts"]["findings"]}
        for entry in busy.entries("file.refused")
    }
    said = {os.path.basename(row.arrival.path): codes[row.item] for row in rows}
    assert said[b"pipe.jpg"] == said[b"null.jpg"] == said[b"socket.jpg"] == {"not-a-file"}
    assert said[b"loop.jpg"] == {"symlink"}
    assert "symlink" in said[b"secret.txt"]
    assert "symlink" in said[b"around"]
    assert "hard-link" in said[b"one.txt"]
    assert "hard-link" in said[b"two.txt"]
    assert "sparse" in said[b"sparse.mp4"]
    assert len(os.listdir(folder)) == 9


def test_what_sync_clients_leave_is_nobodys_file(busy: Place, folder: Path) -> None:
    leftovers = (
        "~$deck.pptx",
        "x.tmp",
        "x.partial",
        "x.crdownload",
        "desktop.ini",
        ".DS_Store",
        "Thumbs.db",
        "._x.jpg",
    )
    for name in leftovers:
        (folder / name).write_bytes(b"left behind")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "real.txt").write_bytes(b"real\n")
    assert [row.name.text for row in decided(busy, folder, 1)] == ["real.txt"]
    assert len(os.listdir(folder)) == len(leftovers) + 2


def test_a_file_that_grows_slowly_is_taken_when_it_is_whole(busy: Place, folder: Path) -> None:
    whole = samples.jpeg(800, 600)
    with (folder / "slow.jpg").open("wb") as file:
        for start in range(0, len(whole), len(whole) // 8):
            file.write(whole[start : start + len(whole) // 8])
            file.flush()
            time.sleep(0.15)
    [row] = decided(busy, folder, 1)
    assert row.sha256 == hashlib.sha256(whole).hexdigest()
    assert row.state is State.HELD


def test_a_copy_that_stops_for_longer_than_settling_takes(busy: Place, folder: Path) -> None:
    """It may be taken half; the rest makes it another arrival, and the half is never released as if it were whole."""
    whole = samples.jpeg(800, 600)
    with (folder / "stuck.jpg").open("wb") as file:
        file.write(whole[: len(whole) // 2])
        file.flush()
        wait_for(lambda: of(busy, folder) and of(busy, folder)[0].state is State.REFUSED, 10, "the half file's verdict")
        file.write(whole[len(whole) // 2 :])
    rows = decided(busy, folder, 2)
    assert [row.state for row in rows] == [State.REFUSED, State.HELD]
    assert rows[1].sha256 == hashlib.sha256(whole).hexdigest()


def test_a_temporary_name_and_a_rename_as_rsync_does_it(busy: Place, folder: Path) -> None:
    whole = samples.jpeg(500, 400)
    hidden = folder / ".photo.jpg.Xy3bQ1"
    with hidden.open("wb") as file:
        for start in range(0, len(whole), len(whole) // 3):
            file.write(whole[start : start + len(whole) // 3])
            time.sleep(0.05)
    hidden.rename(folder / "photo.jpg")
    [row] = decided(busy, folder, 1)
    assert (row.name.text, row.state) == ("photo.jpg", State.HELD)


def test_renamed_while_it_is_copied(busy: Place, folder: Path) -> None:
    whole = samples.jpeg(500, 401)
    with (folder / "before.jpg").open("wb") as file:
        file.write(whole[:5000])
        file.flush()
        (folder / "before.jpg").rename(folder / "after.jpg")
        time.sleep(0.1)
        file.write(whole[5000:])
    [row] = decided(busy, folder, 1)
    assert (row.name.text, row.sha256) == ("after.jpg", hashlib.sha256(whole).hexdigest())


def test_times_set_after_the_copy_as_cp_p_does(busy: Place, folder: Path) -> None:
    source = folder.parent.parent.parent / "source.jpg"
    source.write_bytes(samples.jpeg(502, 400))
    os.utime(source, (1_600_000_000, 1_600_000_000))
    shutil.copy2(source, folder / "old.jpg")
    [row] = decided(busy, folder, 1)
    assert row.state is State.HELD
    busy.approve(row.item)
    wait_for(lambda: not (folder / "old.jpg").exists(), 10, "the original's end")


def test_a_folder_that_is_moved_in_whole(busy: Place, folder: Path) -> None:
    outside = busy.root.parent / "whole"
    (outside / "deeper").mkdir(parents=True)
    for number in range(5):
        (outside / f"{number}.txt").write_bytes(b"in a folder %d\n" % number)
    (outside / "deeper" / "below.txt").write_bytes(b"further down\n")
    folder.rmdir()
    outside.rename(folder)
    rows = decided(busy, folder, 6)
    assert {row.state for row in rows} == {State.HELD}
    assert {row.waiting_for for row in rows if row.name.text == "below.txt"} == {"campaign"}  # too deep for a post


def test_taken_away_before_and_after_the_verdict(busy: Place, folder: Path) -> None:
    """What is in the spool is ours to release; what left before it got there was never dropped."""
    (folder / "gone.txt").write_bytes(b"never mind\n")
    (folder / "gone.txt").unlink()
    (folder / "kept.txt").write_bytes(b"held and then taken away\n")
    [row] = decided(busy, folder, 1)
    (folder / "kept.txt").unlink()
    busy.approve(row.item)
    wait_for(lambda: of(busy, folder)[0].state is State.RELEASED, 10, "the release")
    wait_for(lambda: of(busy, folder)[0].retired, 10, "the entry about the original")
    [retired] = [entry for entry in busy.entries("original.retired") if entry["item"] == row.item]
    assert retired["facts"]["removed"] is False


def test_replaced_after_the_verdict(busy: Place, folder: Path) -> None:
    """An approval is for the bytes that were seen; the replacement is another item and is not removed."""
    (folder / "plan.txt").write_bytes(b"the first words\n")
    [first] = decided(busy, folder, 1)
    (folder / "plan.txt").write_bytes(b"quite other words\n")
    rows = decided(busy, folder, 2)
    busy.approve(first.item)
    wait_for(lambda: of(busy, folder)[0].state is State.RELEASED, 10, "the release")
    wait_for(lambda: of(busy, folder)[0].retired, 10, "the entry about the original")
    assert (busy.release / str(of(busy, folder)[0].released_as)).read_bytes() == b"the first words\n"
    assert (folder / "plan.txt").read_bytes() == b"quite other words\n"
    assert of(busy, folder)[1].state is State.HELD
    assert rows[1].item != first.item


def test_exchanged_again_and_again_while_it_is_taken(busy: Place, folder: Path) -> None:
    """Whatever was taken is one of the versions, whole."""
    versions = [b"version %03d\n" % number * 400 for number in range(60)]
    spare = folder.parent.parent.parent / "spare.txt"
    for version in versions:
        spare.write_bytes(version)
        spare.rename(folder / "busy.txt")
        time.sleep(0.01)
    wait_for(lambda: of(busy, folder) and of(busy, folder)[-1].sha256 == _sha256(versions[-1]), 10, "the last version")
    assert {row.sha256 for row in of(busy, folder)} <= {_sha256(version) for version in versions}


@pytest.mark.slow
def test_three_hundred_at_once_while_somebody_signs(busy: Place, folder: Path) -> None:
    def drop(first: int) -> None:
        for number in range(first, first + 100):
            (folder / f"{number:03d}.jpg").write_bytes(samples.jpeg(64 + number, 64))

    writers = [threading.Thread(target=drop, args=(first,)) for first in (0, 100, 200)]
    for writer in writers:
        writer.start()

    def over() -> bool:
        busy.approve(*(row.item for row in of(busy, folder) if row.state is State.HELD))
        rows = of(busy, folder)
        return len(rows) == 300 and {row.state for row in rows} == {State.RELEASED}

    wait_for(over, 90, "300 releases")
    for writer in writers:
        writer.join()
    wait_for(lambda: os.listdir(folder) == [], 20, "the originals' end")
    names = {row.released_as for row in of(busy, folder)}
    assert len(names) == 300


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
