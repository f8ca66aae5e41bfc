"""Backup and restore: whole while the gateway runs, verified before anything is put back, honest about what lacks."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from tests.store import pieces
from tests.store.disks import small_disk
from transfer.errors import Misuse, Tampered, Unavailable
from transfer.model.findings import WaitingFor
from transfer.model.media import Format
from transfer.model.states import CleanBlob, RawBlob, State
from transfer.store.backup import backup, restore
from transfer.store.backup_files import Label, parse_label, parse_list, render_label, render_list, verify_backup
from transfer.store.blobs import Blobs
from transfer.store.database import Database
from transfer.store.durable import replace_file
from transfer.store.register import Register
from transfer.store.schema import META
from transfer.workspace import Workspace


class Site:
    """A workspace as `transfer init` leaves it, as far as a backup knows it."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        for folder in (self.workspace.state, self.workspace.db, self.workspace.run, self.workspace.keys):
            folder.mkdir(mode=0o700, parents=True)
        self.workspace.log.mkdir()
        self.workspace.settings_file.write_text("[gateway]\n")
        self.workspace.policy_file.write_text("[policy]\n")
        (self.workspace.keys / "log.key").write_text("secret")
        (self.workspace.keys / "log.key").chmod(0o600)
        self.db = Database.create(self.workspace.database)
        self.blobs = Blobs(self.workspace.state)
        self.blobs.prepare()
        self.register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
        with self.db.write() as tx:
            tx.connection.execute(insert(META).values(key="published", value="0"))

    def take_up(self, number: int) -> tuple[RawBlob, CleanBlob]:
        """One item up to held, in the order of the line: blob durable, then its row."""
        raw = pieces.spool(self.blobs, io.BytesIO(b"raw %d" % number), limit=99)
        with self.db.write() as tx:
            self.register.enter(tx, pieces.spooled(number, raw=raw.sha256), pieces.HAPPENED)
        with self.blobs.draft() as draft:
            os.write(draft.descriptor, b"clean %d" % number)
            clean = draft.keep(Format.JPEG)
        with self.db.write() as tx:
            held = pieces.held(number, raw=raw.sha256, clean=clean.sha256, waiting_for=WaitingFor.APPROVAL)
            self.register.advance(tx, held, pieces.HAPPENED, was=State.SPOOLED)
        return raw, clean

    def publish(self, number: int) -> None:
        """A log that grows as the real one does: the row, then a tile of its own name, then the checkpoint."""
        with self.db.write() as tx:
            tx.connection.execute(update(META).where(META.c.key == "published").values(value=str(number)))
        tile = self.workspace.log / "tile" / f"x{number // 10:03d}" / f"{number}"
        tile.parent.mkdir(parents=True, exist_ok=True)
        replace_file(tile, b"tile %d" % number, mode=0o644)
        replace_file(self.workspace.log / "checkpoint", b"%d" % number, mode=0o644)
        if number > 5:  # superseded tiles are removed
            (self.workspace.log / "tile" / f"x{(number - 5) // 10:03d}" / f"{number - 5}").unlink()

    def backup(self, destination: Path, **more: bool) -> Path:
        backup(self.db, workspace=self.workspace, destination=destination, clock=pieces.SteppingClock(), **more)
        return destination


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "site")
    yield made
    made.db.close()


@pytest.fixture
def made(site: Site, tmp_path: Path) -> Path:
    site.take_up(1)
    site.publish(1)
    return site.backup(tmp_path / "backup")


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_there_and_back(site: Site, tmp_path: Path) -> None:
    raw, clean = site.take_up(1)
    site.publish(1)
    report = backup(
        site.db, workspace=site.workspace, destination=tmp_path / "backup", clock=pieces.SteppingClock(), keys=True
    )
    assert (report.keys, report.damaged) == (True, ())
    assert report.files == len(everything(tmp_path / "backup")) - 2
    back = restore(tmp_path / "backup", tmp_path / "again")
    assert (back.files, back.size, back.incomplete) == (report.files, report.size, ())
    again = Workspace(tmp_path / "again")
    before, after = everything(site.workspace.root), everything(again.root)
    for found in (before, after):
        for name in list(found):
            if name.startswith("state/db/"):
                del found[name]
    assert after == before
    db = Database.open(again.database)
    with db.read() as tx:
        row = site.register.row(tx, pieces.item_id(1))
        assert (row.sha256, row.rebuilt_sha256) == (raw.sha256, clean.sha256)
    db.close()
    again.check_modes()
    assert again.database.stat().st_mode & 0o777 == 0o600
    assert (again.log / "checkpoint").stat().st_mode & 0o777 == 0o644
    assert again.log.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "backup", "site"]


def test_anybody_can_check_it_with_sha256sum(made: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "MANIFEST.sha256"], cwd=made, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((made / "backup.json").read_text())["made_at"] == "2026-01-01T00:00:01.000Z"
    assert {path.stat().st_mode & 0o077 for path in made.rglob("*")} == {0}, "it is as private as the keys in it"


def test_without_keys(site: Site, tmp_path: Path) -> None:
    site.backup(tmp_path / "backup", keys=False)
    assert not (tmp_path / "backup" / "keys").exists()
    assert restore(tmp_path / "backup", tmp_path / "again").keys is False


def change_a_byte(backup_folder: Path) -> None:
    blob = next((backup_folder / "state" / "clean").rglob("*/*"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"X")


def take_a_file_away(backup_folder: Path) -> None:
    (backup_folder / "log" / "checkpoint").unlink()


def add_a_file(backup_folder: Path) -> None:
    (backup_folder / "keys" / "another.key").write_text("planted")


def add_a_hidden_file(backup_folder: Path) -> None:
    (backup_folder / "state" / ".part-x").write_text("planted")


def put_a_link(backup_folder: Path) -> None:
    (backup_folder / "policy.toml").unlink()
    (backup_folder / "policy.toml").symlink_to("/etc/passwd")


def rewrite_the_list(backup_folder: Path) -> None:
    change_a_byte(backup_folder)
    digests = parse_list((backup_folder / "MANIFEST.sha256").read_bytes())
    for path in digests:
        digests[path] = subprocess.run(  # type: ignore[assignment] # a digest
            ["sha256sum", path], cwd=backup_folder, capture_output=True, text=True, check=True
        ).stdout[:64]
    (backup_folder / "MANIFEST.sha256").write_bytes(render_list(digests))


def take_the_list_away(backup_folder: Path) -> None:
    (backup_folder / "MANIFEST.sha256").unlink()


def change_the_label(backup_folder: Path) -> None:
    label = (backup_folder / "backup.json").read_text()
    (backup_folder / "backup.json").write_text(label.replace("true", "false") + " ")


@pytest.mark.parametrize(
    "damage",
    [
        change_a_byte,
        take_a_file_away,
        add_a_file,
        put_a_link,
        rewrite_the_list,
        take_the_list_away,
        change_the_label,
    ],
)
def test_a_changed_backup_is_tampering_and_nothing_is_put_back(
    made: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    verify_backup(made)
    damage(made)
    with pytest.raises(Tampered):
        restore(made, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / ".part-again").exists()


def test_a_hidden_file_in_a_backup_is_refused_too(made: Path, tmp_path: Path) -> None:
    add_a_hidden_file(made)
    with pytest.raises((Tampered, Misuse)):
        restore(made, tmp_path / "again")


def test_destinations_that_cannot_be(site: Site, made: Path, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="inside the workspace"):
        site.backup(site.workspace.log / "backup")
    with pytest.raises(Misuse, match="not empty"):
        site.backup(made)
    with pytest.raises(Misuse, match="not empty"):
        restore(made, site.workspace.root)
    with pytest.raises(Misuse, match="no complete backup"):
        restore(site.workspace.root, tmp_path / "again")
    with pytest.raises(Misuse, match="no complete backup"):
        restore(tmp_path / "nowhere", tmp_path / "again")
    (tmp_path / "empty").mkdir()
    restore(made, tmp_path / "empty")


def test_a_newer_backup_is_misuse(made: Path, tmp_path: Path) -> None:
    label = json.loads((made / "backup.json").read_text())
    (made / "backup.json").write_text(json.dumps(label | {"format": "oneway-transfer/backup/v2"}) + "\n")
    with pytest.raises(Misuse, match="another format"):
        restore(made, tmp_path / "again")


def test_a_damaged_blob_is_told_of_and_left_out(site: Site, tmp_path: Path) -> None:
    _, clean = site.take_up(1)
    blob = site.workspace.clean / clean.sha256[:2] / clean.sha256
    blob.write_bytes(b"rotten")
    report = backup(site.db, workspace=site.workspace, destination=tmp_path / "backup", clock=pieces.SteppingClock())
    assert report.damaged == (f"state/clean/{clean.sha256[:2]}/{clean.sha256}",)
    assert restore(tmp_path / "backup", tmp_path / "again").incomplete == (pieces.item_id(1),)


def test_a_foreign_thing_among_our_files_is_tampering(site: Site, tmp_path: Path) -> None:
    os.mkfifo(site.workspace.keys / "fifo")
    with pytest.raises(Tampered, match="neither a file nor a folder"):
        site.backup(tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == [], "no half of a backup is left"


def test_while_the_gateway_runs(site: Site, tmp_path: Path) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []
    taken: list[RawBlob] = []

    def run() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                taken.append(site.take_up(number)[0])
                site.publish(number)
                if number > 20:  # retention: long after they were held
                    site.blobs.remove_raw(taken[number - 20].sha256)
        except BaseException as error:
            failed.append(error)

    gateway = threading.Thread(target=run)
    gateway.start()
    try:
        for attempt in range(4):
            site.backup(tmp_path / f"backup-{attempt}")
    finally:
        stop.set()
        gateway.join()
    assert failed == []
    for attempt in range(4):
        report = restore(tmp_path / f"backup-{attempt}", tmp_path / f"again-{attempt}")
        assert report.incomplete == ()
        again = Workspace(tmp_path / f"again-{attempt}")
        db = Database.open(again.database)
        with db.read() as tx:
            published = int(tx.connection.scalars(select(META.c.value).where(META.c.key == "published")).one())
        db.close()
        if (again.log / "checkpoint").exists():
            checkpoint = int((again.log / "checkpoint").read_text())
            assert checkpoint <= published, "the log never knows more than the database"
            for number in range(max(1, checkpoint - 4), checkpoint + 1):
                assert (again.log / "tile" / f"x{number // 10:03d}" / f"{number}").read_text() == f"tile {number}"
        shutil.rmtree(again.root)


def test_a_full_disk_leaves_no_half_backup(site: Site, tmp_path: Path) -> None:
    site.take_up(1)
    with small_disk(tmp_path / "disk", kibibytes=64) as disk:
        with pytest.raises(Unavailable):
            site.backup(disk / "backup")
        assert list((disk / "backup").iterdir()) == []
    site.take_up(2)


def test_a_full_disk_leaves_no_half_workspace(made: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=64) as disk:
        with pytest.raises(Unavailable):
            restore(made, disk / "again")
        assert list(disk.iterdir()) == []


@given(
    st.dictionaries(
        st.lists(st.text(st.characters(codec="ascii"), min_size=1, max_size=9), min_size=1, max_size=3).map("/".join),
        st.integers(0, 2**256 - 1).map(pieces.digest),
    )
)
def test_only_plain_lists_come_back(digests: dict[str, str]) -> None:
    try:
        back = parse_list(render_list(digests))  # type: ignore[arg-type] # digests
    except Tampered:
        return
    assert back == digests
    assert not any(step in {"", ".", ".."} for path in back for step in path.split("/"))


@given(st.binary(max_size=200))
def test_any_bytes_as_label_or_list_are_refused_in_our_words(untrusted: bytes) -> None:
    with pytest.raises((Tampered, Misuse)):
        parse_label(untrusted)
    with contextlib.suppress(Tampered):
        assert render_list(parse_list(untrusted)) == untrusted


def test_a_label_comes_back() -> None:
    label = Label(made_at=pieces.START, files=3, size=9, keys=True, list_sha256=pieces.digest(5))
    assert parse_label(render_label(label)) == label
